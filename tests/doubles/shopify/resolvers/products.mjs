// Products, variants and collections, for pickers and for membership.
import { GraphQLError } from 'graphql';
import { connection, count } from '../connection.mjs';
import { matcher } from '../search.mjs';
import { gid, idOf, plain, decimal, utc } from '../values.mjs';

const byId = ({ id }) => ['', id];

export const productOf = (shop, one) => ({
  __typename: 'Product',
  id: gid('Product', one.id),
  legacyResourceId: one.id,
  title: one.title,
  handle: one.handle,
  status: 'ACTIVE',
  isGiftCard: one.giftCard,
  productType: '',
  vendor: shop.name,
  tags: [],
  createdAt: utc(one.createdAt),
  updatedAt: utc(one.createdAt),
  onlineStoreUrl: `https://${shop.domain}/products/${one.handle}`,
  featuredMedia: null,
  featuredImage: null,
  priceRangeV2: () => {
    const price = { amount: decimal(one.variant.price, shop.currency), currencyCode: shop.currency };
    return { minVariantPrice: price, maxVariantPrice: price };
  },
  variantsCount: () => count([one.variant]),
  variants: (args, context) =>
    connection([one.variant], args, { view: (variant) => variantOf(shop, variant) }, context),
  collections: (args, context) =>
    connection(
      [...one.collections],
      args,
      { view: (collection) => collectionOf(shop, collection), keyOf: byId },
      context,
    ),
  inCollection: ({ id }) =>
    [...one.collections].some((collection) => gid('Collection', collection.id) === id),
});

export const variantOf = (shop, one) => ({
  __typename: 'ProductVariant',
  id: gid('ProductVariant', one.id),
  legacyResourceId: one.id,
  title: one.title,
  displayName: `${one.product.title} - ${one.title}`,
  sku: one.sku,
  price: plain(one.price, shop.currency),
  position: 1,
  availableForSale: true,
  product: () => productOf(shop, one.product),
});

export const collectionOf = (shop, one) => ({
  __typename: 'Collection',
  id: gid('Collection', one.id),
  legacyResourceId: one.id,
  title: one.title,
  handle: one.handle,
  updatedAt: utc(one.updatedAt),
  image: null,
  productsCount: () => count([...one.products]),
  hasProduct: ({ id }) => [...one.products].some((product) => gid('Product', product.id) === id),
  products: (args, context) =>
    connection(
      args.sortKey === 'ID'
        ? [...one.products].sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1))
        : [...one.products],
      args,
      { view: (product) => productOf(shop, product), keyOf: byId },
      context,
    ),
});

const FIELDS = {
  id: ({ id }) => BigInt(id),
  title: ({ title }) => title,
  handle: ({ handle }) => handle,
  created_at: ({ createdAt }) => createdAt,
  updated_at: ({ updatedAt, createdAt }) => updatedAt ?? createdAt,
};

export function productQueries(shop, finders) {
  const variants = () => [...shop.products.values()].map(({ variant }) => variant);
  const one =
    (known, type, view) =>
    ({ id }) => {
      const found = known().get(idOf(type, id));
      return found ? view(shop, found) : null;
    };
  finders.Product = one(() => shop.products, 'Product', productOf);
  finders.Collection = one(() => shop.collections, 'Collection', collectionOf);
  finders.ProductVariant = one(
    () => new Map(variants().map((variant) => [variant.id, variant])),
    'ProductVariant',
    variantOf,
  );
  const list = (all, view) => (args, context) => {
    if (!['ID', 'TITLE', 'UPDATED_AT', 'CREATED_AT', 'RELEVANCE'].includes(args.sortKey))
      throw new GraphQLError(`The double can't sort by ${args.sortKey}`);
    const keyOf = args.sortKey === 'TITLE' ? ({ title, id }) => [title, id] : byId;
    // Words without a field are looked for in titles, as the pickers do.
    const words = args.query && !args.query.includes(':') ? args.query.toLowerCase() : undefined;
    const fits = words
      ? ({ title }) => title.toLowerCase().includes(words.replace(/\*$/, ''))
      : matcher(args.query, FIELDS);
    const found = all().filter(fits);
    if (args.sortKey === 'TITLE') found.sort((a, b) => (a.title < b.title ? -1 : 1));
    return connection(found, args, { view: (item) => view(shop, item), keyOf }, context);
  };
  return {
    product: finders.Product,
    productVariant: finders.ProductVariant,
    collection: finders.Collection,
    products: list(() => [...shop.products.values()], productOf),
    productVariants: list(variants, variantOf),
    collections: list(() => [...shop.collections.values()], collectionOf),
    productsCount: ({ limit }) => count([...shop.products.values()], limit),
    collectionsCount: ({ limit }) => count([...shop.collections.values()], limit),
    productByHandle: ({ handle }) => {
      const found = [...shop.products.values()].find((product) => product.handle === handle);
      return found ? productOf(shop, found) : null;
    },
    collectionByIdentifier: ({ identifier: { id, handle } }) => {
      if (id) return finders.Collection({ id });
      const found = [...shop.collections.values()].find((collection) => collection.handle === handle);
      return found ? collectionOf(shop, found) : null;
    },
    collectionByHandle: ({ handle }) => {
      const found = [...shop.collections.values()].find((collection) => collection.handle === handle);
      return found ? collectionOf(shop, found) : null;
    },
  };
}
