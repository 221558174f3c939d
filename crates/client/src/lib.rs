//! The page as it is served: every file of it, compressed when it was built. How it is built is in `build.rs`, what it does in `web/`, and how it
//! is served in the daemon.

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Where the browser asks for it ("/assets/main-3K5.js"); the page itself is "/index.html".
    pub path: &'static str,
    /// For the header of that name.
    pub content_type: &'static str,
    /// A hash of the content, without quotes.
    pub etag: &'static str,
    /// Whether `bytes` are compressed; what does not shrink is not.
    pub is_gzip: bool,
    /// The content.
    pub bytes: &'static [u8],
}

impl Asset {
    /// Whether its name changes with its content, so that a browser may keep it for ever.
    pub fn is_immutable(&self) -> bool {
        self.path.starts_with("/assets/")
    }
}

mod generated {
    use super::Asset;
    include!(concat!(env!("OUT_DIR"), "/assets.rs"));
}

/// All files; none in a program that was built with `FILAMENTBOX_CLIENT=none`.
pub static ASSETS: &[Asset] = generated::ASSETS;

/// The file at `path`.
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_only_files_that_are_there() {
        // FILAMENTBOX_CLIENT=none.
        if ASSETS.is_empty() {
            return;
        }
        for path in ["/index.html", "/sw.js", "/manifest.webmanifest", "/icon.svg", "/icon-192.png"] {
            assert!(asset(path).is_some(), "{path} is missing");
        }
        for asset in ASSETS {
            assert!(!asset.etag.is_empty() && !asset.bytes.is_empty(), "{}", asset.path);
            assert_eq!(asset.is_gzip, asset.bytes.starts_with(&[0x1f, 0x8b]), "{}", asset.path);
        }
        assert_eq!(asset("/nothing").map(|asset| asset.path), None);
    }
}
