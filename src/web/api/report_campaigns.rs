//! The report that compares campaigns.

use crate::app::App;
use crate::domain::ids::{BrandId, CampaignId, SegmentId};
use crate::domain::money::Currency;
use crate::domain::sorted::Sorted;
use crate::error::Result;
use crate::storage::reports::{self as rows, By};
use crate::web::extract::{Caller, Params};
use crate::web::handler::{Answer, Json, State};
use crate::web::json::view;
use crate::web::message::Response;

use super::reports::{
    COMPARED, FIGURE_COLUMNS, MOST, ReportedFigures, cells, compared, file, line,
};
use super::view::Date;

view! {
    /// What a campaign brought and cost.
    pub struct CampaignInReport {
        campaign_id: CampaignId,
        name: String,
        archived: bool,
        creators: i64,
        figures: ReportedFigures,
        #[schema(required)]
        share_percent: Option<String>,
    }
}

view! {
    /// Campaigns compared.
    pub struct ReportOfCampaigns {
        currency: Currency,
        #[schema(required)]
        from: Option<Date>,
        #[schema(required)]
        to: Option<Date>,
        totals: ReportedFigures,
        data: Vec<CampaignInReport>,
        #[schema(required)]
        next_cursor: Option<String>,
    }
}

/// Campaigns with deals, compared over days of the brand.
#[utoipa::path(get, path = "/v1/reports/campaigns", tag = "reports", security(("api_key" = ["read"])),
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query),
    ("campaign_id" = Option<CampaignId>, Query), ("currency" = Option<String>, Query),
    ("filter" = Option<String>, Query, description = "As for creators"), ("segment" = Option<SegmentId>, Query),
    ("sort" = Option<String>, Query, description = "As for creators"),
    ("format" = Option<String>, Query, description = "`csv`: all rows"),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, content((ReportOfCampaigns = "application/json"),
        (String = "text/csv"))), (status = 404, description = "No such segment")))]
pub async fn campaigns(State(app): State<App>, caller: Caller, params: Params) -> Result<Response> {
    let params = params.only(COMPARED)?;
    let (report, csv) = report(&app, caller.brand, &params).await?;
    if csv { Ok(file("campaigns", table(&report.data))) } else { Json(report).answer() }
}

/// Campaigns compared, and whether that is to be a file: then all rows are there.
pub(crate) async fn report(
    app: &App,
    brand: BrandId,
    params: &Params,
) -> Result<(ReportOfCampaigns, bool)> {
    let mut report = compared(app, brand, params, By::Campaign).await?;
    let (page, next_cursor) = report.rows()?;
    let one = report.asked.about.campaign;
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    let mut names = Sorted::new();
    for row in rows::campaigns(app.db(), brand, one, most).await? {
        names.insert(row.id.to_string(), row);
    }
    let named = page.iter().filter_map(|row| Some((row, names.get(&row.key)?)));
    let data = named.map(|(row, which)| CampaignInReport {
        campaign_id: which.id,
        name: which.name.clone(),
        archived: which.archived,
        creators: row.figures.creators,
        figures: report.shown(&row.figures),
        share_percent: report.share(row.figures.revenue),
    });
    let told = ReportOfCampaigns {
        currency: report.asked.about.currency,
        from: report.asked.from,
        to: report.asked.to,
        totals: report.shown(&report.totals),
        data: data.collect(),
        next_cursor,
    };
    Ok((told, report.asked.csv))
}

fn table(rows: &[CampaignInReport]) -> String {
    let mut out = format!("campaign_id,name,archived,creators,share_percent,{FIGURE_COLUMNS}\r\n");
    for row in rows {
        let mut told = vec![
            row.campaign_id.to_string(),
            row.name.clone(),
            row.archived.to_string(),
            row.creators.to_string(),
            row.share_percent.clone().unwrap_or_default(),
        ];
        told.extend(cells(&row.figures));
        line(&mut out, &told);
    }
    out
}
