// The smallest worker that answers 302: the runtime's own limit.
export default {
  fetch() {
    return new Response(null, { status: 302, headers: { location: 'https://shop.example.com/products/p-1' } });
  },
};
