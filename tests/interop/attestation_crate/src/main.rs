//! Asks the crate nsm-nitro-enclave-utils about every document of a pack.
//!
//! `attestation_crate PACK` prints one JSON object a line: `{"peer", "file", "accepted", "error"}`;
//! `error` begins with `panic` where the crate did not return.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::{env, fs};

use nsm_nitro_enclave_utils::api::nsm::AttestationDoc;
use nsm_nitro_enclave_utils::time::Time;
use nsm_nitro_enclave_utils::verify::AttestationDocVerifierExt;
use serde_json::{json, Value};

const PEER: &str = "nsm-nitro-enclave-utils";

fn verify(document: &[u8], root: &[u8], seconds: u64) -> Result<(), String> {
    let time = Time::new(Box::new(move || seconds * 1000));
    AttestationDoc::from_cose(document, root, time)
        .map(|_| ())
        .map_err(|error| format!("{error:?}"))
}

/// The bytes of a PEM file with one certificate.
fn der_of(pem: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for letter in lines.flat_map(str::chars).filter(|letter| *letter != '=') {
        bits = bits << 6 | ALPHABET.find(letter).expect("base64") as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

fn text<'a>(value: &'a Value) -> &'a str {
    value.as_str().expect("a text in the manifest")
}

fn main() {
    let folder = env::args().nth(1).expect("usage: attestation_crate PACK");
    let pack = Path::new(&folder);
    let manifest = fs::read_to_string(pack.join("manifest.json")).expect("manifest.json");
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    std::panic::set_hook(Box::new(|_| {}));
    for entry in manifest["documents"].as_array().expect("documents") {
        let root = &manifest["roots"][text(&entry["root"])]["file"];
        let root = der_of(&fs::read_to_string(pack.join(text(root))).expect("a root"));
        let file = text(&entry["file"]);
        let document = fs::read(pack.join(file)).expect("a document");
        let seconds = entry["at_seconds"].as_u64().expect("seconds");
        let said = catch_unwind(AssertUnwindSafe(|| verify(&document, &root, seconds)))
            .unwrap_or_else(|_| Err("panic".to_string()));
        let error = said.clone().err().unwrap_or_default();
        let row = json!({"peer": PEER, "file": file, "accepted": said.is_ok(), "error": error});
        println!("{row}");
    }
}
