-- People who sign in: members of brands, creators in several brands, sessions, passkeys.
CREATE TABLE people (
  id TEXT NOT NULL PRIMARY KEY,
  email TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX people_by_email ON people (email);
CREATE TABLE members (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  email TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('owner', 'manager', 'viewer')),
  person_id TEXT,
  secret_hash TEXT CHECK (length(secret_hash) = 64),
  invited_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  joined_at_ms INTEGER,
  CHECK ((person_id IS NULL) = (joined_at_ms IS NULL)),
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX members_by_email ON members (brand_id, email);
CREATE UNIQUE INDEX members_by_person ON members (person_id, brand_id) WHERE person_id IS NOT NULL;
CREATE UNIQUE INDEX members_by_secret ON members (secret_hash) WHERE secret_hash IS NOT NULL;
CREATE TRIGGER members_keep_an_owner_on_update BEFORE UPDATE ON members WHEN OLD.role = 'owner' AND OLD.person_id IS NOT NULL AND (NEW.role <> 'owner' OR NEW.person_id IS NULL) AND NOT EXISTS (SELECT 1 FROM members WHERE brand_id = OLD.brand_id AND id <> OLD.id AND role = 'owner' AND person_id IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'last_owner: constraint failed'); END;
CREATE TRIGGER members_keep_an_owner_on_delete BEFORE DELETE ON members WHEN OLD.role = 'owner' AND OLD.person_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM members WHERE brand_id = OLD.brand_id AND id <> OLD.id AND role = 'owner' AND person_id IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'last_owner: constraint failed'); END;
ALTER TABLE creators ADD COLUMN person_id TEXT;
CREATE UNIQUE INDEX creators_by_person ON creators (person_id, brand_id) WHERE person_id IS NOT NULL;
CREATE TABLE sign_ins (
  browser_hash TEXT NOT NULL PRIMARY KEY CHECK (length(browser_hash) = 64),
  token_hash TEXT NOT NULL CHECK (length(token_hash) = 64),
  code_hash TEXT NOT NULL,
  email TEXT NOT NULL,
  invitation_hash TEXT,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  uses INTEGER NOT NULL DEFAULT 0 CHECK (uses IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sign_ins_by_token ON sign_ins (token_hash);
CREATE TABLE sessions (
  secret_hash TEXT NOT NULL PRIMARY KEY CHECK (length(secret_hash) = 64),
  id TEXT NOT NULL,
  person_id TEXT NOT NULL,
  device TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  last_seen_at_ms INTEGER NOT NULL,
  factors INTEGER NOT NULL CHECK (factors IN (1, 2)),
  stepped_up_at_ms INTEGER,
  challenge TEXT,
  challenge_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_person ON sessions (person_id, id);
CREATE TABLE passkeys (
  person_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  credential_id TEXT NOT NULL,
  public_key TEXT NOT NULL,
  sign_count INTEGER NOT NULL CHECK (sign_count >= 0),
  created_at_ms INTEGER NOT NULL,
  last_used_at_ms INTEGER,
  PRIMARY KEY (person_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX passkeys_by_credential ON passkeys (credential_id);
CREATE TABLE recovery_codes (
  person_id TEXT NOT NULL,
  code_hash TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  uses INTEGER NOT NULL DEFAULT 0 CHECK (uses IN (0, 1)),
  used_at_ms INTEGER,
  PRIMARY KEY (person_id, code_hash)
) STRICT, WITHOUT ROWID;
ALTER TABLE brands ADD COLUMN money_keys INTEGER NOT NULL DEFAULT 1 CHECK (money_keys IN (0, 1));
