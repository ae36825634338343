//! Makes each call of AWS's NSM crate once and sends what came back to the parent, a line each.
use aws_nitro_enclaves_nsm_api::api::{Request, Response};
use aws_nitro_enclaves_nsm_api::driver::{nsm_exit, nsm_init, nsm_process_request};
use serde_bytes::ByteBuf;
use std::io::Write;
use vsock::{VsockStream, VMADDR_CID_HOST};

const PARENT: u32 = VMADDR_CID_HOST + 1;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn told(response: Response) -> String {
    match response {
        Response::DescribeNSM { module_id, max_pcrs, locked_pcrs, .. } => {
            format!("nsm {module_id} {max_pcrs} {locked_pcrs:?}")
        }
        Response::DescribePCR { lock, data } => format!("pcr {lock} {}", hex(&data)),
        Response::ExtendPCR { data } => format!("extended {}", hex(&data)),
        Response::LockPCR => "locked".into(),
        Response::GetRandom { random } => format!("random {}", random.len()),
        Response::Attestation { document } => format!("document {}", hex(&document)),
        Response::Error(code) => format!("error {code:?}"),
        _ => "something else".into(),
    }
}

fn main() -> std::io::Result<()> {
    let module = nsm_init();
    let mut parent = VsockStream::connect_with_cid_port(PARENT, 9100)?;
    let asked = [
        Request::DescribeNSM,
        Request::DescribePCR { index: 0 },
        Request::ExtendPCR { index: 16, data: b"a launch".to_vec() },
        Request::LockPCR { index: 16 },
        Request::ExtendPCR { index: 16, data: b"too late".to_vec() },
        Request::ExtendPCR { index: 0, data: b"not mine".to_vec() },
        Request::GetRandom,
        Request::Attestation {
            nonce: Some(ByteBuf::from(b"a nonce".to_vec())),
            user_data: Some(ByteBuf::from(b"who I am".to_vec())),
            public_key: None,
        },
    ];
    for request in asked {
        writeln!(parent, "{}", told(nsm_process_request(module, request)))?;
    }
    nsm_exit(module);
    Ok(())
}
