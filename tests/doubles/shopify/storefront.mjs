import { json } from './http.mjs';
export const storefront = (double, shop, request, response) => json(response, 404, { error: 'later' });
