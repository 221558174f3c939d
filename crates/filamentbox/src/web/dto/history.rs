//! What was measured, as the points of a chart.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// The points of a chart.
#[derive(Serialize, ToSchema)]
pub(crate) struct History {
    /// The box.
    pub(crate) r#box: String,
    /// From here on, Unix seconds; null, as `to`, where nobody knows what time it is.
    pub(crate) from: Option<f64>,
    /// Up to here, Unix seconds.
    pub(crate) to: Option<f64>,
    /// The length of a point, s; 0 for single samples.
    pub(crate) resolution: f64,
    /// The beginning of each point, Unix seconds.
    pub(crate) timestamps: Vec<f64>,
    /// By the field's name. A field that was not asked for is not there.
    pub(crate) fields: BTreeMap<&'static str, Columns>,
    /// Why there is nothing, if the reason is not that nothing was measured.
    pub(crate) note: Option<&'static str>,
    /// How much was read for it.
    pub(crate) read: WasRead,
}

/// The values of a field, one for each time stamp; null where nothing was measured.
#[derive(Serialize, ToSchema)]
pub(crate) struct Columns {
    /// Mean; for an output, the share of the samples with its line active, 0 to 1.
    pub(crate) mean: Vec<Option<f64>>,
    /// Lowest. Only of what a sensor measures: of what is calculated from that, rollups know the mean only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(extensions(("x-may-lack" = json!(true))))]
    pub(crate) min: Option<Vec<Option<f64>>>,
    /// Highest. There is one where there is a lowest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(extensions(("x-may-lack" = json!(true))))]
    pub(crate) max: Option<Vec<Option<f64>>>,
}

/// How much the journal read.
#[derive(Serialize, ToSchema)]
pub(crate) struct WasRead {
    /// Minutes and hours.
    pub(crate) rollups: u64,
    /// Packed blocks of samples.
    pub(crate) blocks: u64,
    /// Samples out of those blocks, and from memory.
    pub(crate) samples: u64,
}
