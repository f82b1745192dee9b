// Who and what the demo programme is about. All of it is made up.

export const BRAND = {
  name: 'Linden & Loom',
  currency: 'USD',
  timezone: 'America/New_York',
  homepage_url: 'https://www.lindenandloom.example',
  owner_email: 'owner@lindenandloom.example',
};

export const STORE = {
  platform: 'shopify',
  shop_domain: 'linden-and-loom-demo.myshopify.com',
  storefront_url: 'https://shop.lindenandloom.example',
  client_id: 'demo',
};

/** What creators' new codes take off. */
export const GROUP = {
  name: 'Creators, 10 % off',
  mode: 'one_discount',
  discount: { kind: 'percentage', percent: '10', once_per_customer: true },
};

export const CAMPAIGNS = ['Always-on Ambassadors', 'New Room, New You', 'The Seasonal Edit'];

/** Handle on the storefront, name, price in cents. */
export const PRODUCTS = [
  ['stonewashed-linen-duvet', 'Stonewashed Linen Duvet Cover', 18900],
  ['oak-side-table', 'Solid Oak Side Table', 24900],
  ['rattan-pendant-lamp', 'Rattan Pendant Lamp', 12900],
  ['terracotta-planter-set', 'Terracotta Planters, Set of 3', 5400],
  ['wool-throw-moss', 'Wool Throw in Moss', 8900],
  ['ceramic-vase-tall', 'Tall Ceramic Vase', 4600],
  ['jute-rug-5x8', 'Jute Rug 5 × 8', 21900],
  ['beeswax-candles', 'Beeswax Dinner Candles', 2400],
  ['walnut-wall-shelf', 'Walnut Wall Shelf', 7900],
  ['linen-curtains-pair', 'Linen Curtains, Pair', 13900],
  ['velvet-cushion-rust', 'Velvet Cushion in Rust', 3900],
  ['arched-mirror', 'Arched Floor Mirror', 29900],
  ['waffle-towel-set', 'Waffle Towels, Set of 4', 6200],
  ['stoneware-dinner-set', 'Stoneware Dinner Set', 14900],
  ['brass-wall-hooks', 'Brass Wall Hooks', 3200],
  ['cane-bench', 'Cane Entryway Bench', 34900],
  ['paper-floor-lamp', 'Paper Floor Lamp', 9900],
  ['gallery-frame-set', 'Gallery Frames, Set of 6', 11900],
  ['seagrass-basket', 'Seagrass Storage Basket', 4400],
  ['marble-tray', 'Marble Tray', 5900],
  ['boucle-accent-chair', 'Bouclé Accent Chair', 42900],
  ['quilted-bedspread', 'Quilted Bedspread', 16900],
  ['olive-tree-faux', 'Faux Olive Tree', 13500],
  ['hand-poured-soap', 'Hand-poured Soap', 1400],
];

export const NICHES = [
  'Interior design',
  'DIY & renovation',
  'Minimalist living',
  'Farmhouse',
  'Small apartments',
  'Plants & garden',
  'Vintage & thrift',
  'Family & nursery',
  'Kitchen & dining',
  'Renters & dorms',
];

export const CREATOR_TAGS = ['instagram', 'tiktok', 'pinterest', 'youtube', 'blog'];
export const DEAL_TAGS = ['gifted', 'whitelisting', 'video', 'holiday', 'repeat', 'usage rights'];

/** Codes of other programmes and of the shop itself: no deal has them. */
export const FOREIGN_CODES = ['WELCOME15', 'HONEY20', 'NEWSLETTER10', 'LABORDAY'];

export const FIRST_NAMES =
  `Anna Maya Chloe Priya Sofia Hannah Zoe Amara Lena Nora Ines Freya Carmen Leila Ruby
Tessa Imani Keiko Olivia Emma Camila Aisha Greta Mina Paloma Robin Daniel Marcus Theo Mateo Jonas Kai Omar Felix
Hugo Andre Noah Elias Dario Sam`.split(/\s+/);

export const LAST_NAMES =
  `Bergstrom Okafor Lindqvist Marlowe Castellano Nakamura Whitfield Duarte Abernathy Kowalski
Fontaine Mbeki Halloran Petrov Sandoval Oyelaran Winslow Ferreira Haddad Ashworth Novak Rosales Thackeray Ivanova
Beaumont Sorensen Quintero Mahoney Delacroix Yamada`.split(/\s+/);

/** What follows a first name in a handle. */
export const HANDLE_WORDS =
  `home casa nest interiors athome makes habitat rooms cottage loft studio living dwells
decorates hearth nook`.split(/\s+/);

export const BUYER_NAMES =
  `alex jamie taylor morgan casey riley jordan avery quinn rowan dana lee chris pat kim
sasha robin jules erin blair`.split(/\s+/);
