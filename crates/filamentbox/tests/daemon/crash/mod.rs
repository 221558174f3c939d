//! Crashes and power cuts at every point where the journal touches a file, and faults of the disk at the same points.
//!
//! `workload` is a program that uses the journal as the daemon does and writes down what it was promised. strace ends it, or lets one
//! of its system calls fail (`kill_points`), or records what it writes, from which the disks that a power cut may leave are made
//! (`power_cut`). `oracle` opens what is left and compares it with the promises. `real` does the same to the whole daemon.
//! `store` does it to the commands that touch the settings' store and its key.

mod kill_points;
mod oracle;
mod power_cut;
mod real;
mod store;
mod strace;
mod workload;
