//! The body of a request in line protocol, made in pieces: whoever shares the thread goes on in between, such as the request before, which
//! is still under way.

use std::io::Write as _;
use std::sync::Arc;

use filamentbox_core::sample::Point;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::task::yield_now;

use super::http::{GZIP_MIN, Http};
use super::line_protocol::Encoder;

/// Points that are encoded at once, some 50 us.
const PIECE: usize = 200;
/// Bytes that are compressed at once.
const PIECE_BYTES: usize = 32 * 1024;

/// The body of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Body {
    /// As they are sent.
    pub(super) bytes: Vec<u8>,
    /// By gzip.
    pub(super) is_compressed: bool,
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, is_compressed: false }
    }
}

/// Makes bodies for one server.
#[derive(Clone, Debug)]
pub struct Lines {
    encoder: Arc<Encoder>,
    gzip: bool,
}

impl Lines {
    /// Lines of `encoder`, compressed as the settings of the server's connection say.
    pub(super) fn new(encoder: Encoder, http: &Http) -> Self {
        Self { encoder: Arc::new(encoder), gzip: http.compresses() }
    }

    /// Uncompressed lines.
    #[cfg(test)]
    pub(crate) fn plain(encoder: Encoder) -> Self {
        Self { encoder: Arc::new(encoder), gzip: false }
    }

    /// The body of a request with these points.
    pub async fn body(&self, points: &[Point]) -> Body {
        let mut lines = self.encoder.room(points.len());
        for piece in points.chunks(PIECE) {
            self.encoder.append(&mut lines, piece);
            yield_now().await;
        }
        if !self.gzip || lines.len() < GZIP_MIN {
            return lines.into();
        }
        // A tenth of the size; see `http::gzipped`.
        let mut encoder = GzEncoder::new(Vec::with_capacity(lines.len() / 8), Compression::fast());
        for piece in lines.chunks(PIECE_BYTES) {
            encoder.write_all(piece).expect("writing to memory cannot fail");
            yield_now().await;
        }
        Body { bytes: encoder.finish().expect("writing to memory cannot fail"), is_compressed: true }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use filamentbox_core::sample::{BoxName, Measurement};
    use filamentbox_core::time::UnixTime;
    use filamentbox_core::units::{Celsius, RelativeHumidity};

    use super::super::Labels;
    use super::super::line_protocol::Backslash;
    use super::*;

    #[tokio::test]
    async fn a_body_in_pieces_is_that_in_one_piece() {
        let labels = Labels { measurement: "m".to_owned(), tags: Vec::new(), tag_box: false };
        let encoder = Encoder::new("X", &labels, Backslash::Literal).expect("allowed");
        let point = |nth: usize| Point {
            box_name: BoxName::main(),
            at: UnixTime::from_millis(nth as i64),
            measurement: Measurement {
                temperature: Celsius::from_centi(nth as i32 % 5000).expect("in range"),
                humidity: RelativeHumidity::from_centi(4000).expect("in range"),
                pressure: None,
            },
            heater_on: true,
            fan_on: false,
        };
        for count in [0, 1, PIECE - 1, PIECE, PIECE + 1, 5000] {
            let points: Vec<Point> = (0..count).map(point).collect();
            let whole = encoder.encode(&points);
            let mut lines = Lines::plain(encoder.clone());
            assert_eq!(lines.body(&points).await, Body::from(whole.clone()), "{count}");
            lines.gzip = true;
            let body = lines.body(&points).await;
            assert_eq!(body.is_compressed, whole.len() >= GZIP_MIN, "{count}");
            let mut text = body.bytes.clone();
            if body.is_compressed {
                text.clear();
                flate2::read::GzDecoder::new(&body.bytes[..]).read_to_end(&mut text).expect("gzip");
            }
            assert!(text == whole, "{count}");
        }
    }
}
