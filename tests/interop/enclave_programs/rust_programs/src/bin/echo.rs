//! Echoes what it hears on vsock port 5000, a thread for each connection; says its CID and peers.
use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use vsock::{get_local_cid, VsockListener, VsockStream, VMADDR_CID_ANY};

fn main() -> std::io::Result<()> {
    println!("cid {}", get_local_cid()?);
    let listener = VsockListener::bind_with_cid_port(VMADDR_CID_ANY, 5000)?;
    println!("listening on {}", listener.local_addr()?.port());
    for stream in listener.incoming() {
        let stream = stream?;
        println!("from cid {}", stream.peer_addr()?.cid());
        thread::spawn(move || echo(stream));
    }
    Ok(())
}

fn echo(mut stream: VsockStream) -> std::io::Result<()> {
    let mut piece = [0u8; 65536];
    loop {
        let length = stream.read(&mut piece)?;
        if length == 0 {
            return stream.shutdown(Shutdown::Write);
        }
        stream.write_all(&piece[..length])?;
    }
}
