//! Generates the server's side of the protocol from the published files; `protox` reads them, so no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=protos");
    let files = protox::compile(["streams.proto", "serverfeatures.proto", "gossip.proto"], ["protos"])?;
    tonic_build::configure().build_client(false).compile_fds(files)?;
    Ok(())
}
