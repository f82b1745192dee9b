// What a shop sells.
import { minor, newSmallId } from './values.mjs';

const USUAL = [
  {
    handle: 'linen-duvet',
    title: 'Stonewashed Linen Duvet Cover',
    price: '189.00',
    collections: ['bedding', 'linen'],
  },
  { handle: 'linen-pillow', title: 'Linen Pillowcase', price: '39.00', collections: ['bedding', 'linen'] },
  { handle: 'beeswax-candles', title: 'Beeswax Dinner Candles', price: '24.00', collections: ['home'] },
  { handle: 'wool-throw', title: 'Merino Throw', price: '129.00', collections: ['bedding', 'home'] },
  { handle: 'gift-card', title: 'Gift Card', price: '50.00', giftCard: true, collections: [] },
];

/** Products by id, each with one variant; `collections` with their products. */
export function catalogue(specs = USUAL, currency) {
  const products = new Map();
  const collections = new Map();
  products.collections = collections;
  for (const spec of specs) addProduct(products, collections, spec, currency);
  return products;
}

export function addProduct(products, collections, spec, currency) {
  const { handle, title = handle, price, giftCard = false } = spec;
  const product = {
    id: spec.id ?? newSmallId(),
    handle,
    title,
    giftCard,
    createdAt: Date.now(),
    collections: new Set(),
  };
  const sku = spec.sku ?? handle.toUpperCase();
  product.variant = {
    id: spec.variantId ?? newSmallId(),
    product,
    title: 'Default Title',
    sku,
    price: amount(price, currency),
  };
  products.set(product.id, product);
  for (const name of spec.collections ?? []) {
    const known = [...collections.values()].find((one) => one.handle === name);
    join(product, known ?? addCollection(collections, { handle: name }));
  }
  return product;
}

export function addCollection(collections, { id = newSmallId(), handle, title = handle }) {
  const collection = { id, handle, title, products: new Set(), updatedAt: Date.now() };
  collections.set(id, collection);
  return collection;
}

export function join(product, collection) {
  product.collections.add(collection);
  collection.products.add(product);
}

export function leave(product, collection) {
  product.collections.delete(collection);
  collection.products.delete(product);
}

/** A product by its id, handle, or its variant's id or SKU. */
export function findProduct(shop, name) {
  const text = String(name);
  if (shop.products.has(text)) return shop.products.get(text);
  for (const product of shop.products.values())
    if ([product.handle, product.variant.id, product.variant.sku].includes(text)) return product;
  return undefined;
}

/** Prices of the usual catalogue are in units with decimals; yen have none. */
function amount(price, currency) {
  try {
    return minor(price, currency);
  } catch {
    return minor(String(Math.round(Number(price))), currency);
  }
}
