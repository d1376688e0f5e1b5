//! The `flowsift` binary: an allocator and an exit code around [`flowsift::cli`].

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    flowsift::cli::main(std::env::args_os()).into()
}
