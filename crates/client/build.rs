//! Builds the page from `web/` with Node.js and writes the table of its files. `npm ci` runs only when `web/node_modules` is not what the lock
//! file says. Nothing else is downloaded, and nothing but `web/node_modules` is written outside of `OUT_DIR`.

use std::fmt::{self, Write};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

/// What decides how the page looks; a change of any builds it anew.
const SOURCES: [&str; 6] = ["src", "public", "build.mjs", "package.json", "package-lock.json", "tsconfig.json"];
/// The oldest Node.js that is supported: Debian bookworm's.
const NODE_MIN: u32 = 18;
/// A copy of the lock file by which `npm ci` has worked.
const INSTALLED: &str = "node_modules/.installed-by-cargo.json";
const WAY_OUT: &str = "or build a program without its page: FILAMENTBOX_CLIENT=none cargo build";

/// What keeps the page from being built, printed as it is.
struct Problem(String);

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the page cannot be built: {}", self.0)
    }
}

impl From<io::Error> for Problem {
    fn from(problem: io::Error) -> Self {
        Self(problem.to_string())
    }
}

fn main() -> Result<(), Problem> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let web = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../../web");
    println!("cargo::rerun-if-env-changed=FILAMENTBOX_CLIENT");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", web.join(source).display());
    }
    let table = match env::var("FILAMENTBOX_CLIENT").as_deref() {
        Ok("none") => "pub static ASSETS: &[Asset] = &[];\n".to_owned(),
        Ok(other) if !other.is_empty() => {
            return Err(Problem(format!("FILAMENTBOX_CLIENT is {other:?}; allowed: none, or nothing at all")));
        }
        _ => table(&built(&web, &out)?)?,
    };
    fs::write(out.join("assets.rs"), table)?;
    Ok(())
}

fn variable(name: &str) -> Result<String, Problem> {
    env::var(name).map_err(|_| Problem(format!("{name} is not set; cargo sets it")))
}

/// The folder with the built page.
fn built(web: &Path, out: &Path) -> Result<PathBuf, Problem> {
    check_node()?;
    // Several cargo processes may build at once (an editor and a terminal): one installs, the others find it done.
    let lock_file = web.join("package-lock.json");
    let turn = File::open(&lock_file)?;
    turn.lock()?;
    let wanted = fs::read(&lock_file)?;
    if fs::read(web.join(INSTALLED)).ok().as_ref() != Some(&wanted) {
        let what = "npm ci (it needs the npm registry, or npm's cache)";
        run(Command::new("npm").args(["ci", "--no-progress"]), web, what)?;
        fs::write(web.join(INSTALLED), &wanted)?;
    }
    let folder = out.join("page");
    run(Command::new("node").args(["build.mjs", "--out"]).arg(&folder), web, "node build.mjs")?;
    Ok(folder)
}

fn check_node() -> Result<(), Problem> {
    let version = said("node")?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_MIN) {
        return Err(Problem(format!("Node.js is {version}, and {NODE_MIN} or newer is needed; {WAY_OUT}")));
    }
    said("npm").map(drop)
}

fn said(program: &str) -> Result<String, Problem> {
    let missing = || {
        Problem(format!(
            "{program} is not there. Install Node.js {NODE_MIN} or newer and npm (Debian, Ubuntu, Raspberry Pi OS: apt install nodejs \
             npm), {WAY_OUT}"
        ))
    };
    let output = Command::new(program).arg("--version").output().map_err(|_| missing())?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn run(command: &mut Command, web: &Path, what: &str) -> Result<(), Problem> {
    let output = command.current_dir(web).output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Err(Problem(format!("{what} in web/ has failed:\n{}\n{}\n{WAY_OUT}", words[0].trim(), words[1].trim())))
}

/// Rust code for the files that `build.mjs` lists: path, content type, entity tag, encoding and file, separated by tabs.
fn table(folder: &Path) -> Result<String, Problem> {
    let list = fs::read_to_string(folder.join("assets.tsv"))?;
    let mut code = "pub static ASSETS: &[Asset] = &[\n".to_owned();
    for line in list.lines() {
        let [path, content_type, etag, encoding, file] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(Problem(format!("web/build.mjs has listed {line:?}, which is not five fields")));
        };
        let _ = writeln!(
            code,
            "    Asset {{ path: {path:?}, content_type: {content_type:?}, etag: {etag:?}, is_gzip: {}, bytes: include_bytes!({:?}) }},",
            encoding == "gzip",
            folder.join(file)
        );
    }
    code.push_str("];\n");
    Ok(code)
}
