//! Keeping secrets inside this process: none in `/proc/PID/environ`, none for children, none in a crash's file.
//!
//! A process cannot wipe the block that the kernel shows as its environment without `unsafe`, but it can start again without it: the
//! secrets go into a file in memory, which becomes the new image's stdin, and are gone from there once read. The process keeps
//! its id, its descriptors and its place under systemd.
//!
//! Not here: `HTTP_PROXY` and its like. The HTTP library reads them itself, so a proxy's password stays where it is.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use filamentbox_core::config::Registry;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::stdio::dup2_stdin;
use zeroize::Zeroizing;

use crate::settings::{self, Variable, is_secret_variable};

/// The file in memory.
const NAME: &str = "filamentbox-secrets";
/// How the kernel shows it as somebody's stdin.
const SHOWN: &str = "/memfd:filamentbox-secrets (deleted)";

/// A crash leaves no file with this process's memory, and other processes of the same user cannot read it.
///
/// # Errors
/// The kernel's.
pub fn forbid_dumps() -> io::Result<()> {
    // The second also keeps memory from programs that take crashes over a pipe, which heed no limit.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// The variables of the environment, with the secrets among them out of everybody's sight: where there are any, this starts the process
/// again with the same arguments and without them, once. There must be no other thread.
///
/// Beside the variables: why they are still to be seen, if they are.
///
/// # Errors
/// When the secrets cannot be read any more.
pub fn variables(registry: &Registry) -> io::Result<(Vec<Variable>, Option<io::Error>)> {
    let mut variables = settings::variables();
    if std::fs::read_link("/proc/self/fd/0").is_ok_and(|stdin| stdin.as_os_str() == SHOWN) {
        variables.extend(take()?);
        return Ok((variables, None));
    }
    let secrets: Vec<&Variable> = variables.iter().filter(|(name, _)| is_secret_variable(registry, name)).collect();
    let exposed = if secrets.is_empty() { None } else { Some(start_again(&secrets)) };
    Ok((variables, exposed))
}

/// Does not return, unless it fails.
fn start_again(secrets: &[&Variable]) -> io::Error {
    let prepared = hand_over(secrets).and_then(|file| Ok((file, std::env::current_exe()?)));
    let (file, program) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => return problem,
    };
    let mut arguments = std::env::args_os();
    let mut command = Command::new(&program);
    command.arg0(arguments.next().unwrap_or_else(|| program.into_os_string())).args(arguments).stdin(Stdio::from(file));
    for (name, _) in secrets {
        command.env_remove(name);
    }
    command.exec()
}

/// A file in memory with `secrets`: each name and each value ended by the one byte that neither can have.
fn hand_over(secrets: &[&Variable]) -> io::Result<File> {
    let mut file = File::from(memfd_create(NAME, MemfdFlags::CLOEXEC)?);
    for text in secrets.iter().flat_map(|(name, value)| [name, value]) {
        file.write_all(text.as_bytes())?;
        file.write_all(&[0])?;
    }
    file.rewind()?;
    Ok(file)
}

/// Reads what [`hand_over`] wrote from stdin, wipes it, and leaves an empty stdin.
fn take() -> io::Result<Vec<Variable>> {
    let mut stdin = File::open("/proc/self/fd/0")?;
    let mut bytes = Zeroizing::new(Vec::new());
    stdin.read_to_end(&mut bytes)?;
    // The pages are wiped by the kernel before anybody else gets them.
    dup2_stdin(File::open("/dev/null")?)?;
    Ok(split(&bytes))
}

fn split(bytes: &[u8]) -> Vec<Variable> {
    let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let texts: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    texts.chunks_exact(2).map(|pair| (text(pair[0]), text(pair[1]))).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn what_is_handed_over_arrives_as_it_was() {
        let variables: Vec<Variable> = [("A", &b"b=c\n"[..]), ("VAULT_TOKEN", b""), ("X", b"\xff ")]
            .map(|(name, value)| (name.into(), OsStr::from_bytes(value).to_owned()))
            .into();
        let mut file = hand_over(&variables.iter().collect::<Vec<_>>()).expect("memory");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("memory");
        assert_eq!(split(&bytes), variables);
        assert_eq!(split(b""), Vec::<Variable>::new());
    }
}
