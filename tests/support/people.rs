//! People at their browsers: cookies, pages of our own origin, an authenticator.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Answer, Product};

/// The origin that the product has in these tests, and the id of its passkeys.
pub const ORIGIN: &str = "https://app.tributary.test";
pub const RP_ID: &str = "app.tributary.test";

/// A browser: it keeps cookies and asks from our own pages.
#[derive(Default)]
pub struct Browser {
    pub cookies: RefCell<BTreeMap<String, String>>,
    /// The brand that its requests are about: the only one of whoever signed in last.
    pub brand: RefCell<Option<String>>,
}

impl Browser {
    pub async fn send(
        &self,
        product: &Product,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        self.send_with(product, method, path, body, &[("sec-fetch-site", "same-origin")]).await
    }

    /// As above, with these headers and none that say whose page asks.
    pub async fn send_with(
        &self,
        product: &Product,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("user-agent", super::PHONE);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let jar: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !jar.is_empty() {
            request = request.header("cookie", jar.join("; "));
        }
        if let Some(brand) = &*self.brand.borrow()
            && !headers.iter().any(|(name, _)| *name == "tributary-brand")
        {
            request = request.header("tributary-brand", brand);
        }
        let (content_type, bytes) = super::sent(body);
        if !bytes.is_empty() {
            request = request.header("content-type", content_type);
        }
        let answer = product.raw(request.body(bytes).unwrap()).await;
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            assert!(set.contains("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set}");
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{set}");
            if set.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        self.learn(&answer.json);
        answer
    }

    /// A tab is about a brand from when its person signed in.
    fn learn(&self, told: &Value) {
        let (Some(brands), Some(creators)) =
            (told["brands"].as_array(), told["creators"].as_array())
        else {
            return;
        };
        let ids = brands.iter().map(|b| &b["id"]).chain(creators.iter().map(|c| &c["brand_id"]));
        let mut ids: Vec<String> = ids.filter_map(|id| id.as_str().map(str::to_owned)).collect();
        ids.dedup();
        *self.brand.borrow_mut() = if ids.len() == 1 { ids.pop() } else { None };
    }

    pub async fn post(&self, product: &Product, path: &str, body: Value) -> Answer {
        self.send(product, "POST", path, Some(body)).await
    }

    pub async fn get(&self, product: &Product, path: &str) -> Answer {
        self.send(product, "GET", path, None).await
    }

    pub async fn delete(&self, product: &Product, path: &str) -> Answer {
        self.send(product, "DELETE", path, None).await
    }

    /// Begins a sign-in and follows the link in the mail.
    pub async fn sign_in(&self, product: &Product, begin: Value) -> Value {
        self.post(product, "/v1/sign-in", begin).await.expect(202);
        let (link, _) = mailed(product);
        self.post(product, "/v1/sign-in/link", json!({ "token": link })).await.expect(200)
    }

    /// What is to be signed next.
    pub async fn challenge(&self, product: &Product) -> String {
        let asked = self.post(product, "/v1/passkeys/challenge", json!({})).await.expect(200);
        assert_eq!(asked["rp_id"], RP_ID);
        asked["challenge"].as_str().unwrap().to_owned()
    }

    pub async fn enroll(&self, product: &Product, key: &Authenticator) -> Value {
        let challenge = self.challenge(product).await;
        let mut body = key.create(&challenge);
        body["name"] = json!("Phone");
        self.post(product, "/v1/passkeys", body).await.expect(201)
    }

    pub async fn show(&self, product: &Product, key: &Authenticator) -> Value {
        let body = key.get(&self.challenge(product).await);
        self.post(product, "/v1/session/passkey", body).await.expect(200)
    }
}

/// Pages and their forms, as a browser without JavaScript asks for them.
impl Browser {
    pub async fn sees(&self, product: &Product, path: &str) -> Answer {
        self.send_with(product, "GET", path, None, &[("accept", "text/html")]).await
    }

    /// A form of our own pages, with the proof that its page carries.
    pub async fn fills(&self, product: &Product, path: &str, fields: &[(&str, &str)]) -> Answer {
        let session = self.get(product, "/v1/session").await.expect(200);
        self.fills_proven(product, path, fields, session["csrf"].as_str().unwrap()).await
    }

    /// As above, with a proof that may be another's.
    pub async fn fills_proven(
        &self,
        product: &Product,
        path: &str,
        fields: &[(&str, &str)],
        csrf: &str,
    ) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", csrf).extend_pairs(fields);
        let cookies = self.cookies.borrow().clone();
        let cookies: Vec<String> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header("cookie", cookies.join("; "))
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        product.raw(request.body(form.finish().into_bytes()).unwrap()).await
    }
}

/// What the first hidden field of this name holds in a page.
#[track_caller]
pub fn hidden(html: &str, name: &str) -> String {
    let at = html.split(&format!("name=\"{name}\" value=\"")).nth(1).expect(name);
    at.split('"').next().unwrap().replace("&#34;", "\"").replace("&quot;", "\"")
}

/// The token and the code in the last mail.
#[track_caller]
pub fn mailed(product: &Product) -> (String, String) {
    let mail = product.mailer.last();
    let text = mail["text"].as_str().unwrap();
    let token = text.split("/sign-in/link#").nth(1).expect("a link").split_whitespace().next();
    let digits = |word: &&str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_digit());
    let code = text.split(|c: char| !c.is_ascii_alphanumeric()).find(digits).expect("a code");
    (token.unwrap().to_owned(), code.to_owned())
}

/// The token of the invitation in the last mail to this address.
#[track_caller]
pub fn invited(product: &Product, to: &str) -> String {
    let mails = product.mailer.mails.lock().unwrap();
    let mail = mails.iter().rev().find(|mail| mail["to"] == to).expect("a mail").clone();
    let text = mail["text"].as_str().unwrap().to_owned();
    text.split("/invitation#").nth(1).expect("a link").split_whitespace().next().unwrap().to_owned()
}

/// An authenticator with one passkey that counts.
pub struct Authenticator {
    key: SigningKey,
    id: Vec<u8>,
    pub count: Cell<u32>,
    pub origin: String,
    pub rp_id: String,
    /// User present and verified.
    pub flags: u8,
}

impl Authenticator {
    pub fn new(seed: u8) -> Self {
        Self {
            key: SigningKey::from_slice(&[seed; 32]).unwrap(),
            id: vec![seed; 16],
            count: Cell::new(1),
            origin: ORIGIN.to_owned(),
            rp_id: RP_ID.to_owned(),
            flags: 5,
        }
    }

    fn client_data(&self, kind: &str, challenge: &str) -> Vec<u8> {
        let told = json!({ "type": kind, "challenge": challenge, "origin": self.origin });
        told.to_string().into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = Sha256::digest(&self.rp_id).to_vec();
        data.push(flags);
        data.extend_from_slice(&self.count.get().to_be_bytes());
        self.count.set(self.count.get() + 1);
        data
    }

    pub fn create(&self, challenge: &str) -> Value {
        let mut data = self.data(self.flags | 0x40);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&(self.id.len() as u16).to_be_bytes());
        data.extend_from_slice(&self.id);
        let point = self.key.verifying_key().to_encoded_point(false);
        data.extend_from_slice(&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20]);
        data.extend_from_slice(point.x().unwrap());
        data.extend_from_slice(&[0x22, 0x58, 0x20]);
        data.extend_from_slice(point.y().unwrap());
        json!({
            "client_data": URL_SAFE_NO_PAD.encode(self.client_data("webauthn.create", challenge)),
            "authenticator_data": URL_SAFE_NO_PAD.encode(data),
        })
    }

    pub fn get(&self, challenge: &str) -> Value {
        let client = self.client_data("webauthn.get", challenge);
        let data = self.data(self.flags);
        let message = [data.as_slice(), &Sha256::digest(&client)].concat();
        let signature: Signature = self.key.sign(&message);
        json!({
            "credential_id": URL_SAFE_NO_PAD.encode(&self.id),
            "client_data": URL_SAFE_NO_PAD.encode(client),
            "authenticator_data": URL_SAFE_NO_PAD.encode(data),
            "signature": URL_SAFE_NO_PAD.encode(signature.to_der().as_bytes()),
        })
    }
}

/// A member who has joined with a passkey, in her browser, just stepped up.
pub struct Member {
    pub browser: Browser,
    pub key: Authenticator,
    pub email: String,
    pub id: String,
}

impl Member {
    /// Takes up an invitation that was mailed to her.
    pub async fn joins(product: &Product, email: &str, seed: u8) -> Self {
        let (browser, key) = (Browser::default(), Authenticator::new(seed));
        let invitation = invited(product, email);
        let session = browser.sign_in(product, json!({ "invitation": invitation })).await;
        let id = session["brands"][0]["member_id"].as_str().unwrap().to_owned();
        if session["session"]["second_factor"] == "enroll" {
            browser.enroll(product, &key).await;
        }
        Self { browser, key, email: email.to_owned(), id }
    }
}
