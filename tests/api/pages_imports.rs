//! Files on pages, and creators who are one: a preview changes nothing, its hash does once what it told.

use serde_json::json;

use super::pages_brand::{Casa, casa, see, send, viewer};

const HOSTILE: &str = "<script>hit=1</script>\"><img src=x onerror=hit=1>{{7*7}}";

/// What the preview's form carries.
fn hash(page: &str) -> Option<&str> {
    page.split("name=\"hash\" value=\"").nth(1)?.split('"').next()
}

/// How many rows a table of the API's has.
async fn count(casa: &Casa, path: &str) -> usize {
    casa.p.get(&casa.product, path).await["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_file_tells_what_it_would_do_and_then_does_it_once() {
    let casa = casa().await;
    let (campaign, olga) = (casa.p.campaign.clone(), &casa.olga);
    let creators =
        "name,handle,email,tags\nBerta,@berta,berta@mail.example,vip|new\nCara,@cara,,\n";
    let deals = "creator,campaign_id,commission_percent,slug\n@berta,CAMPAIGN,12.5,berta-1\n";
    let affiliates = "name,email,ref_code,commission\nDora,dora@mail.example,dora,9%\n";
    let posts = "creator,platform,url,published_at,views\n\
        @berta,instagram,https://www.instagram.com/p/CxAbCdEf/,2026-01-05,1200\n";
    let codes = "code,creator\nSUMMER,@berta\n";
    let into = [("campaign_id", &*campaign)];
    for (kind, csv, extra, told, path) in [
        ("creators", creators, &[][..], "2 new creators", "/v1/creators"),
        ("deals", deals, &[], "1 new deals", "/v1/deals"),
        ("affiliates", affiliates, &into, "1 new deals, 1 new creators", "/v1/deals"),
        ("posts", posts, &[], "1 new posts", "/v1/posts"),
        ("codes", codes, &[], "1 codes taken over", "/v1/codes"),
    ] {
        let shown = see(&casa, olga, &format!("/imports?kind={kind}")).await;
        assert_eq!(shown.status, 200, "{kind}");
        assert!(shown.text.contains(&format!("name=\"kind\" value=\"{kind}\"")), "{kind}");
        let csv = csv.replace("CAMPAIGN", &campaign);
        let mut form = vec![("kind", kind), ("csv", &*csv)];
        form.extend(extra);
        let before = (casa.product.db.checksum(), count(&casa, path).await);
        let preview = send(&casa, olga, "/imports", &form).await;
        assert_eq!(preview.status, 200, "{kind}: {}", preview.text);
        assert!(preview.text.contains(told), "{kind}: {}", preview.text);
        assert!(casa.product.db.checksum() == before.0, "{kind}: a preview changes nothing");
        form.push(("hash", hash(&preview.text).unwrap()));
        assert_eq!(send(&casa, olga, "/imports", &form).await.status, 303, "{kind}");
        assert!(count(&casa, path).await > before.1, "{kind}");
        // A second click finds that it isn't what was previewed any more, and changes nothing.
        let there = casa.product.db.checksum();
        let again = send(&casa, olga, "/imports", &form).await;
        assert_eq!(again.status, 409, "{kind}: {}", again.text);
        assert!(casa.product.db.checksum() == there, "{kind}");
    }
    let deals = casa.p.get(&casa.product, "/v1/deals").await;
    let rates: Vec<&str> = deals["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|deal| deal["terms"]["commission_percent"].as_str())
        .collect();
    assert!(rates.contains(&"12.5") && rates.contains(&"9"), "{rates:?}");
}

#[tokio::test]
async fn wrong_rows_are_named_and_nothing_happens() {
    let casa = casa().await;
    let before = casa.product.db.checksum();
    let row = HOSTILE.replace('"', "\"\"");
    let csv = format!("name,handle,followers\nA,@a,12\n\"{row}\",\"{row}\",many\n");
    let form = [("kind", "creators"), ("csv", &*csv)];
    let told = send(&casa, &casa.olga, "/imports", &form).await;
    assert_eq!(told.status, 200, "{}", told.text);
    assert!(told.text.contains("1 rows are wrong") && hash(&told.text).is_none());
    assert!(told.text.contains("followers must be a whole number"));
    assert!(!told.text.contains("<script>hit") && !told.text.contains("<img src=x"));
    for (csv, why) in [
        ("", "The file is empty"),
        ("colour\nred\n", "no column is called"),
        ("name,handle\n\"a", "line 2"),
        ("name,name\na,b\n", "there twice"),
    ] {
        let form = [("kind", "creators"), ("csv", csv)];
        let told = send(&casa, &casa.olga, "/imports", &form).await;
        assert_eq!(told.status, 422, "{csv}");
        let why = why.to_lowercase();
        assert!(told.text.to_lowercase().contains(&why), "{csv}: {}", told.text);
    }
    let good = [("kind", "creators"), ("csv", "handle\n@x\n"), ("hash", "none")];
    assert_eq!(send(&casa, &casa.olga, "/imports", &good).await.status, 409);
    // A column that nobody knows isn't read over unless she says so.
    let csv = "name,email,ref_code,shoe size\nDora,dora@mail.example,dora,38\n";
    let mut form = vec![("kind", "affiliates"), ("csv", csv), ("campaign_id", &*casa.p.campaign)];
    let told = send(&casa, &casa.olga, "/imports", &form).await;
    assert!(told.text.contains("shoe size") && hash(&told.text).is_none(), "{}", told.text);
    form.push(("ignore", "yes"));
    let told = send(&casa, &casa.olga, "/imports", &form).await;
    assert!(hash(&told.text).is_some(), "{}", told.text);
    assert!(casa.product.db.checksum() == before, "nothing was done");

    let vera = viewer(&casa).await;
    let shown = see(&casa, &vera, "/imports").await;
    assert!(shown.status == 200 && !shown.text.contains("name=\"csv\""));
    let form = [("kind", "creators"), ("csv", "handle\n@x\n")];
    assert_eq!(send(&casa, &vera, "/imports", &form).await.status, 403);
}

#[tokio::test]
async fn what_is_known_changes_only_where_she_says_so() {
    let casa = casa().await;
    let creator = casa.p.get(&casa.product, &format!("/v1/creators/{}", casa.p.creator)).await;
    let csv = format!("handle,niche\n{},gardens\n", creator["handle"].as_str().unwrap());
    let mut form = vec![("kind", "creators"), ("csv", &*csv)];
    let told = send(&casa, &casa.olga, "/imports", &form).await;
    assert!(told.text.contains("nothing new") && hash(&told.text).is_none(), "{}", told.text);
    form.push(("update", "yes"));
    let told = send(&casa, &casa.olga, "/imports", &form).await;
    form.push(("hash", hash(&told.text).unwrap()));
    assert_eq!(send(&casa, &casa.olga, "/imports", &form).await.status, 303);
    let creator = casa.p.get(&casa.product, &format!("/v1/creators/{}", casa.p.creator)).await;
    assert_eq!(creator["niche"], "gardens");
}

#[tokio::test]
async fn two_who_are_one_are_merged_and_the_books_say_which_goes_on() {
    let casa = casa().await;
    let (p, product) = (&casa.p, &casa.product);
    let email = "anna@both.example";
    let path = format!("/v1/creators/{}", p.creator);
    product.call("PATCH", &path, Some(json!({ "email": email })), &p.key).await.expect(200);
    let empty = see(&casa, &casa.olga, "/creators/duplicates").await;
    assert!(empty.text.contains("Nobody twice"), "{}", empty.text);
    let twin = json!({ "name": HOSTILE, "handle": "@anna.two", "email": "ANNA@both.example" });
    let twin = p.post(product, "/v1/creators", twin).await.expect(201);
    let twin = twin["id"].as_str().unwrap().to_owned();
    let shown = see(&casa, &casa.olga, "/creators/duplicates").await;
    assert!(shown.text.contains("The same e-mail address"), "{}", shown.text);
    assert!(shown.text.contains(&twin) && !shown.text.contains("<img src=x"));

    // She with the orders can't go, and who is named must be there.
    let before = product.db.checksum();
    for (into, from, status, why) in [
        (&*twin, &*p.creator, 409, "which the books keep under her"),
        (&*p.creator, &*p.creator, 422, "must be another creator"),
        ("@nobody", &*twin, 422, "there is no such creator"),
        ("", &*twin, 422, "there is no such creator"),
    ] {
        let form = [("into", into), ("from", from)];
        let told = send(&casa, &casa.olga, "/creators/duplicates", &form).await;
        assert_eq!(told.status, status, "{into}: {}", told.text);
        assert!(told.text.contains(why), "{into}: {}", told.text);
    }
    assert!(product.db.checksum() == before, "nothing was done");
    let vera = viewer(&casa).await;
    let shown = see(&casa, &vera, "/creators/duplicates").await;
    assert!(shown.text.contains(&twin) && !shown.text.contains("name=\"into\""));
    let before = product.db.checksum();
    let form = [("into", &*p.creator), ("from", "@anna.two")];
    assert_eq!(send(&casa, &vera, "/creators/duplicates", &form).await.status, 403);
    assert!(product.db.checksum() == before);

    let done = send(&casa, &casa.olga, "/creators/duplicates", &form).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let gone = p.get(product, &format!("/v1/creators/{twin}")).await;
    assert_eq!(gone["merged_into"], p.creator.as_str());
    let empty = see(&casa, &casa.olga, "/creators/duplicates").await;
    assert!(empty.text.contains("Nobody twice"), "{}", empty.text);
}

#[tokio::test]
async fn a_file_of_any_signs_may_have_a_mebibyte_and_what_is_larger_is_told_on_a_page() {
    let casa = casa().await;
    let before = casa.product.db.checksum();
    // Written as a form, each byte of these takes three.
    let line = |n: usize| format!("@{n:05},\"{}\"\n", "\u{e9}".repeat(480));
    let rows = |count: usize| format!("handle,niche\n{}", (0..count).map(line).collect::<String>());
    let fits = rows(1_000);
    assert!((900_000..1_048_576).contains(&fits.len()));
    let told = send(&casa, &casa.olga, "/imports", &[("kind", "creators"), ("csv", &*fits)]).await;
    assert_eq!(told.status, 200, "{:.300}", told.text);
    for (count, why) in [(1_100, "A file may have 1 MiB"), (1_500, "Too much at once")] {
        let csv = rows(count);
        let form = [("kind", "creators"), ("csv", &*csv)];
        let told = send(&casa, &casa.olga, "/imports", &form).await;
        assert_eq!(told.status, 413, "{count}");
        assert!(told.text.contains("<h1>") && told.text.contains(why), "{:.300}", told.text);
    }
    assert!(casa.product.db.checksum() == before);
}
