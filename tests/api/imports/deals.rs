//! Files of deals, codes, posts and GoAffPro's affiliates, and lists that are read again.

use super::*;

#[tokio::test]
async fn deals_come_with_terms_links_and_codes() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    both(&product, &p.key, CREATORS, "handle,email\nada,ada@x.example\nbo,\ncy,\n").await;
    let name =
        product.db.rows("SELECT name FROM campaigns")[0]["name"].as_str().unwrap().to_owned();
    let before = count(&product, "deals");
    let file = format!(
        "creator,campaign,stage,commission_percent,starts_at,tags,slug,code\n\
         ADA@x.example,{name},Posted,12.5,2026-11-01,vip,ada|ada-2,ADA10\n@bo,{name},,,,,,\n"
    );
    let done = both(&product, &p.key, DEALS, &file).await;
    assert_eq!((&done["new"], &done["taken_in"]), (&json!(2), &json!(2)), "{done}");
    assert_eq!(count(&product, "deals"), before + 2);
    let deals = product.call("GET", "/v1/deals", None, &p.key).await.expect(200);
    let ada = deals["data"].as_array().unwrap().iter().find(|d| d["stage"] == "Posted").unwrap();
    assert_eq!(
        (&ada["terms"]["commission_percent"], &ada["tags"]),
        (&json!("12.5"), &json!(["vip"]))
    );
    assert_eq!(
        (ada["links"].as_array().unwrap().len(), &ada["codes"][0]["code"]),
        (2, &json!("ADA10"))
    );
    // C5, and her open deal is known by whatever name.
    let again = both(&product, &p.key, DEALS, &file).await;
    assert_eq!((&again["new"], &again["rows"][0]["outcome"]), (&json!(0), &json!("known")));
    // What the list writes is read again.
    let written = csv(&product, &p.key, "/v1/deals?format=csv").await;
    let again = both(&product, &p.key, DEALS, &written).await;
    assert_eq!((&again["new"], &again["wrong"]), (&json!(0), &json!(0)), "{again}");
    let to = format!("{DEALS}?preview=true");
    let q = Programme::with(&product, "EUR", "10").await;
    for (row, reason) in [
        (format!("nobody,{name},,,,,,"), "there is no such creator"),
        ("cy,none,,,,,,".to_owned(), "there is no such campaign"),
        (format!("cy,{name},Nowhere,,,,,"), "stage must be a stage of the campaign"),
        (
            format!("cy,{name},,,2026-11-01,,,"),
            "starts_at needs a commission_percent that starts then",
        ),
        (
            format!("cy,{name},,5,1999-01-01,,,"),
            "starts_at must be a date or time after the year 2000",
        ),
        (format!("cy,{name},,,,,ADA,"), "the slug ADA is taken"),
        (format!("cy,{name},,,,,,ada10"), "another deal has the code ada10"),
        (format!("cy,{name},,,,,healthz/x,"), ""),
    ] {
        let file =
            format!("creator,campaign,stage,commission_percent,starts_at,tags,slug,code\n{row}\n");
        let told = import(&product, &p.key, &to, file.as_bytes()).await.expect(200);
        assert_eq!(told["wrong"], 1, "{row}: {told}");
        assert!(reason.is_empty() || told["rows"][0]["reason"] == reason, "{row}: {told}");
    }
    for twice in ["cy,{},,,,,,\ncy,{},,,,,,", "cy,{},,,,,s,\nbo,{},,,,,s,"] {
        let rows = twice.replace("{}", &name);
        let file =
            format!("creator,campaign,stage,commission_percent,starts_at,tags,slug,code\n{rows}\n");
        let told = import(&product, &p.key, &to, file.as_bytes()).await.expect(200);
        assert!(told["rows"].as_array().unwrap().len() == 2, "{told}");
    }
    // C9: another brand's creator by her id.
    let theirs = product.db.rows(&format!("SELECT creator_id FROM deals WHERE id = '{}'", q.deal));
    let theirs = theirs[0]["creator_id"].as_str().unwrap();
    let file = format!("creator_id,campaign\n{theirs},{name}\n");
    let told = import(&product, &p.key, &to, file.as_bytes()).await.expect(200);
    assert_eq!(told["rows"][0]["reason"], "there is no such creator");
}

/// Who was merged, erased, or is called by a handle on a platform; ids of the brand's and of another's.
#[tokio::test]
async fn an_export_is_read_again_whatever_became_of_its_rows() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let file = "handle,email,tiktok,name\nada,ada@x.example,ada.t,Ada\nada.old,old@x.example,,Old\nbo,bo@x.example,,Bo\n\
                gone,,,Gone\n";
    both(&product, &p.key, CREATORS, file).await;
    let written = csv(&product, &p.key, "/v1/creators?format=csv").await;
    let id = |handle: &str| {
        let line = written.lines().find(|line| line.contains(&format!(",{handle},"))).unwrap();
        line.split(',').next().unwrap().to_owned()
    };
    let (ada, old, gone) = (id("ada"), id("ada.old"), id("gone"));
    let merge = json!({ "from_id": old });
    p.post(&product, &format!("/v1/creators/{ada}/merge"), merge).await.expect(200);
    let erase = p
        .post(&product, &format!("/v1/creators/{gone}/erasure"), json!({ "confirm": "gone" }))
        .await;
    assert!(erase.status < 300, "{}", erase.text);
    let to = format!("{CREATORS}?preview=true&update=true");
    let outcomes = async |file: &str| {
        let told = import(&product, &p.key, &to, file.as_bytes()).await.expect(200);
        let one = |row: &Value| {
            (row["outcome"].clone(), row["creator_id"].clone(), row["reason"].clone())
        };
        told["rows"].as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    // One who was merged is whom she goes on as: by id, and by the handle she went by, whatever her address was.
    for row in
        [format!("{old},,\n"), ",ada.old,\n".to_owned(), ",@ADA.old,old@x.example\n".to_owned()]
    {
        let told = outcomes(&format!("id,handle,email\n{row}")).await;
        assert_eq!(told, [(json!("known"), json!(ada), json!(""))], "{row}");
    }
    let told = outcomes("handle,tiktok\neve,@ADA.T\n").await;
    assert_eq!(told[0].1, json!(ada), "by a handle on a platform");
    let told =
        outcomes("handle,email,tiktok\neve,eve@x.example,nobody\nfay,fay@x.example,nobody\n").await;
    assert_eq!(told[1].2, "line 2 is about the same creator");
    let told = outcomes(&format!("id,email\n{ada},bo@x.example\n")).await;
    assert_eq!(told[0].2, "the id is one creator's, the e-mail another's");
    let told = outcomes(&format!("id,handle\n{gone},gone\n")).await;
    assert_eq!(told[0], (json!("left_out"), json!(gone), json!("she was erased")));
    // The list has nobody twice and nobody who was merged, and changes nothing when it is read again.
    let written = csv(&product, &p.key, "/v1/creators?format=csv").await;
    assert!(!written.contains(&old) && written.contains(&gone), "{written}");
    let again = both(&product, &p.key, &format!("{CREATORS}?update=true"), &written).await;
    assert_eq!(
        (&again["new"], &again["changed"], &again["taken_in"]),
        (&json!(0), &json!(0), &json!(0))
    );
    // Elsewhere an id names nobody; a file that names another brand's creators makes new ones there.
    let q = Programme::with(&product, "EUR", "10").await;
    let told = import(&product, &q.key, &to, format!("id,handle\n{ada},ada\n").as_bytes()).await;
    assert_eq!(told.expect(200)["rows"][0]["outcome"], "new");
    // Too many handles, and fields that aren't what they were made for.
    let many: Vec<String> = (0..21).map(|n| format!("h{n}")).collect();
    let told = outcomes(&format!("handle,x\nada,{}\n", many.join("|"))).await;
    assert_eq!(told[0].2, "there are more than 20 handles on platforms");
    let told = outcomes(&format!("handle,x\nada,{}\n", many[..19].join("|"))).await;
    assert_eq!(told[0].2, "she would have more than 20 handles on platforms");
}

#[tokio::test]
async fn fields_of_the_brand_are_read_as_they_are_written() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let field = async |body: Value| {
        let made = p.post(&product, "/v1/creator-fields", body).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    };
    let rank = field(json!({ "name": "Rank, \"all\"", "kind": "number" })).await;
    let size = field(json!({ "name": "Size", "kind": "choice", "choices": ["S", "=M"] })).await;
    let since = field(json!({ "name": "Since", "kind": "date" })).await;
    for number in ["-1.5", "0", "12", "0.1", "123456.789", "1e-7", "9e15"] {
        let fields = json!({ (rank.as_str()): serde_json::from_str::<Value>(number).unwrap(),
            (size.as_str()): "=M", (since.as_str()): "2026-02-28" });
        let path = format!("/v1/creators/{}", p.creator);
        let told = product.call("PATCH", &path, Some(json!({ "fields": fields })), &p.key).await;
        told.expect(200);
        let written = csv(&product, &p.key, "/v1/creators?format=csv").await;
        let header = written.lines().next().unwrap();
        assert!(header.contains(&format!("field.{rank}")), "{header}");
        assert!(written.contains(",'=M,"), "{written}");
        let again = both(&product, &p.key, &format!("{CREATORS}?update=true"), &written).await;
        assert_eq!(
            (&again["changed"], &again["new"]),
            (&json!(0), &json!(0)),
            "{number}: {written}"
        );
    }
    let to = format!("{CREATORS}?preview=true&update=true");
    // C7: one spelling, and nothing is rounded.
    for (column, cell) in [
        ("\"field.rank, \"\"all\"\"\"", "\"1,5\""),
        ("\"field.rank, \"\"all\"\"\"", "1e2"),
        ("\"field.rank, \"\"all\"\"\"", "0.12345678901234567890123"),
        ("\"field.rank, \"\"all\"\"\"", "99999999999999999999"),
        ("\"field.rank, \"\"all\"\"\"", "007"),
        ("\"field.rank, \"\"all\"\"\"", "NaN"),
        ("field.size", "L"),
        ("field.since", "2026-02-30"),
    ] {
        let file = format!("handle,{column}\n@anna.home,{cell}\n");
        let told = import(&product, &p.key, &to, file.as_bytes()).await.expect(200);
        assert_eq!(told["wrong"], 1, "{column} {cell}: {told}");
    }
    let unknown = import(&product, &p.key, &to, b"handle,field.none\nx,1\n").await.expect(422);
    assert!(unknown.to_string().contains("field.none"), "{unknown}");
}

#[tokio::test]
async fn deals_have_kinds_owners_and_stages_of_the_brands_own() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    both(&product, &p.key, CREATORS, "handle\nada\nbo\n").await;
    let board = json!({ "name": "Own", "stages": ["First", "Second"] });
    let board = p.post(&product, "/v1/campaigns", board).await.expect(201)["id"].clone();
    let member = product.db.rows("SELECT id FROM members")[0]["id"].as_str().unwrap().to_owned();
    let file = format!(
        "creator,campaign,stage,kind,owner_id\nada,Own,Second,gifting,{member}\nbo,Own,,,\n"
    );
    assert_eq!(both(&product, &p.key, DEALS, &file).await["taken_in"], 2);
    let rows = product.db.rows(
        "SELECT stage, kind, owner_id, place FROM deals WHERE stage IN ('First', 'Second') ORDER BY stage",
    );
    assert_eq!((&rows[0]["kind"], &rows[0]["owner_id"]), (&json!("affiliate"), &Value::Null));
    assert_eq!((&rows[1]["kind"], &rows[1]["owner_id"]), (&json!("gifting"), &json!(member)));
    assert!(rows.iter().all(|row| row["place"].as_i64().unwrap() > 0));
    let deal = product.db.rows("SELECT id FROM deals WHERE stage = 'Second'")[0]["id"].clone();
    let timeline = format!("/v1/deals/{}/timeline?kind=deal", deal.as_str().unwrap());
    let told = p.get(&product, &timeline).await;
    assert_eq!(told["data"][0]["summary"], "The deal was taken in from a file", "{told}");
    let q = Programme::with(&product, "EUR", "10").await;
    let theirs = product.db.rows(&format!(
        "SELECT id FROM members WHERE brand_id = '{}'",
        q.brand["id"].as_str().unwrap()
    ));
    let to = format!("{DEALS}?preview=true");
    for (row, reason) in [
        ("anna.home,Own,First,magic,".to_owned(), "kind is none of a deal"),
        ("anna.home,Own,Outreach,,".to_owned(), "stage must be a stage of the campaign"),
        ("anna.home,Own,,,member_x".to_owned(), "there is no such member"),
        (
            format!("anna.home,Own,,,{}", theirs[0]["id"].as_str().unwrap()),
            "there is no such member",
        ),
    ] {
        let file = format!("creator,campaign,stage,kind,owner_id\n{row}\n");
        let told = import(&product, &p.key, &to, file.as_bytes()).await.expect(200);
        assert_eq!(told["rows"][0]["reason"], reason, "{row}");
    }
    // A list is read again, whatever became of its campaigns and deals.
    let two = json!({ "creator_id": p.creator, "campaign_id": board });
    for _ in 0..2 {
        p.post(&product, "/v1/deals", two.clone()).await.expect(201);
    }
    let path = format!("/v1/campaigns/{}", board.as_str().unwrap());
    let away = product.call("PATCH", &path, Some(json!({ "state": "archived" })), &p.key).await;
    away.expect(200);
    let written = csv(&product, &p.key, "/v1/deals?format=csv").await;
    let again = both(&product, &p.key, DEALS, &written).await;
    assert_eq!(
        (&again["new"], &again["wrong"], &again["taken_in"]),
        (&json!(0), &json!(0), &json!(0))
    );
    let file = "creator,campaign\nada,Own\n";
    let told = import(&product, &p.key, &to, file.as_bytes()).await.expect(200);
    assert_eq!(told["rows"][0]["reason"], "the campaign was put away");
    let goaffpro = format!(
        "/v1/goaffpro/import?kind=affiliates&preview=true&campaign_id={}",
        board.as_str().unwrap()
    );
    import(&product, &p.key, &goaffpro, b"email\na@x.example\n").await.expect(422);
}

#[tokio::test]
async fn codes_and_posts_are_read_as_they_are_written() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let codes = format!("code,creator\n=10,anna.home\nB|C,{}\n", "ANNA@creator.example");
    assert_eq!(both(&product, &p.key, "/v1/codes/import", &codes).await["taken_over"], 2);
    // One that failed has no claim to its text any more, and still isn't a new one.
    let failed = "INSERT INTO codes (brand_id, id, deal_id, code, code_key, state, counts, created_at_ms)
        SELECT brand_id, 'code_01ktx4w6p0e9c9v4h5xq3z7k2m', deal_id, 'LOST', 'code_01ktx4w6p0e9c9v4h5xq3z7k2m', 'failed', 0, 0 FROM codes LIMIT 1";
    product.db.execute(failed).unwrap();
    let written = csv(&product, &p.key, "/v1/codes?format=csv").await;
    assert!(written.contains(",'=10,"), "{written}");
    let again = both(&product, &p.key, "/v1/codes/import", &written).await;
    assert_eq!((&again["new"], &again["wrong"]), (&json!(0), &json!(0)), "{again}");
    let posts = "creator,platform,url,published_at,views\n@ANNA.home,tiktok,https://tiktok.com/@a/1,2026-10-01,7\n";
    assert_eq!(both(&product, &p.key, "/v1/posts/import", posts).await["taken_in"], 1);
    let written = csv(&product, &p.key, "/v1/posts?format=csv").await;
    let again = both(&product, &p.key, "/v1/posts/import", &written).await;
    assert_eq!(
        (&again["new"], &again["measured"], &again["wrong"]),
        (&json!(0), &json!(0), &json!(0))
    );
    // An order's list is no file that is taken in.
    let orders = csv(&product, &p.key, "/v1/orders?format=csv").await;
    import(&product, &p.key, "/v1/posts/import?preview=true", orders.as_bytes()).await.expect(422);
}

#[tokio::test]
async fn affiliates_of_goaffpro_become_creators_with_deals() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    both(&product, &p.key, CREATORS, "handle,email\nada,ada@x.example\n").await;
    let campaign =
        product.db.rows("SELECT id FROM campaigns")[0]["id"].as_str().unwrap().to_owned();
    let to = format!("/v1/goaffpro/import?kind=affiliates&campaign_id={campaign}");
    let file = "ID,First Name,Last Name,Email,Ref Code,Coupon,Commission,Commission Type,Status,Total Amount Paid\n\
        7,Ada,L,ADA@x.example,ada7,ADA7,10.000000,percentage,approved,5.00\n\
        8,Bo,,bo@x.example,bo8,,5,fixed_amount,approved,\n9,No,,no@x.example,no9,,,,rejected,\n";
    let done = both(&product, &p.key, &to, file).await;
    assert_eq!(
        (&done["new"], &done["new_creators"], &done["wrong"]),
        (&json!(2), &json!(1), &json!(0)),
        "{done}"
    );
    assert_eq!(done["rows"][0]["commission_percent"], "10");
    assert_eq!(
        done["rows"][1]["reason"],
        "the commission is no percentage: its terms aren't taken over"
    );
    assert_eq!(done["rows"][2]["outcome"], "left_out");
    assert!(done["ignored"].as_array().unwrap().contains(&json!("total amount paid")));
    let again = both(&product, &p.key, &to, file).await;
    assert_eq!((&again["new"], &again["new_creators"]), (&json!(0), &json!(0)));
    // A column that isn't known is named, and nothing is done while there is one.
    let unknown = "email,Shoe Size\nz@x.example,38\n";
    let named = import(&product, &p.key, &format!("{to}&preview=true"), unknown.as_bytes()).await;
    let named = named.expect(200);
    assert_eq!((&named["unknown"], &named["hash"]), (&json!(["shoe size"]), &Value::Null));
    let refused = import(&product, &p.key, &format!("{to}&hash=x"), unknown.as_bytes()).await;
    assert!(refused.expect(422).to_string().contains("shoe size"));
    let over = both(&product, &p.key, &format!("{to}&ignore=unknown"), unknown).await;
    assert_eq!((&over["ignored"], &over["taken_in"]), (&json!(["shoe size"]), &json!(1)));
    // Names mean the same however they are spelled; the same code in two columns is one.
    let file = "E-Mail Address,refCode,ref_codes,Coupon Code,coupons\ny@x.example,y1,Y1|y2,YY,yy\n";
    let told = import(&product, &p.key, &format!("{to}&preview=true"), file.as_bytes()).await;
    let told = told.expect(200)["rows"][0].clone();
    assert_eq!((&told["slugs"], &told["codes"]), (&json!(["y1", "y2"]), &json!(["YY"])));
    for (commission, kind) in
        [("10,5", "percentage"), ("1e1", "percentage"), ("10", "magic"), ("101", "percentage")]
    {
        let file =
            format!("email,commission,commission_type\nz@x.example,\"{commission}\",{kind}\n");
        let told = import(&product, &p.key, &format!("{to}&preview=true"), file.as_bytes())
            .await
            .expect(200);
        assert_eq!(told["wrong"], 1, "{commission} {kind}");
    }
}

#[tokio::test]
async fn lists_are_files_that_are_read_again() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let mut file = "handle,name,email,niche,followers,tags\n".to_owned();
    for n in 0..1_200 {
        file.push_str(&format!("h{n},'=name{n},h{n}@x.example,'-niche,{n},a\\;b|c\n"));
    }
    both(&product, &p.key, CREATORS, &file).await;
    let written = csv(&product, &p.key, "/v1/creators?format=csv").await;
    // D18: no cell is a formula.
    assert!(written.contains(",'=name7,") && written.contains(",'-niche,"), "{}", &written[..300]);
    assert_eq!(written.lines().count(), 1 + count(&product, "creators"));
    // Elsewhere: the same but for ids.
    let q = Programme::with(&product, "EUR", "10").await;
    let own = product.db.rows("SELECT 1 FROM creators").len();
    let done = both(&product, &q.key, CREATORS, &written).await;
    assert!(done["taken_in"].as_u64().unwrap() >= 1_200, "{own}");
    let there = csv(&product, &q.key, "/v1/creators?format=csv").await;
    let without_ids = |text: &str| {
        let mut lines: Vec<String> = text
            .lines()
            .filter(|line| line.contains("@x.example"))
            .map(|line| line.split_once(',').unwrap().1.to_owned())
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(without_ids(&written), without_ids(&there));
    // A part, and where it goes on.
    let part = product.call("GET", "/v1/creators?format=csv&limit=600", None, &p.key).await;
    let cursor = part.headers["x-next-cursor"].to_str().unwrap().to_owned();
    let rest = csv(&product, &p.key, &format!("/v1/creators?format=csv&cursor={cursor}")).await;
    assert_eq!(part.text.lines().count() + rest.lines().count(), written.lines().count() + 1);
    for bad in [
        "format=xls",
        "format=csv&format=csv",
        "format=csv&limit=10001",
        "format=csv&limit=0",
        "format=csv&x=1",
        "limit=201",
    ] {
        assert_eq!(
            product.call("GET", &format!("/v1/creators?{bad}"), None, &p.key).await.status,
            422,
            "{bad}"
        );
    }
}
