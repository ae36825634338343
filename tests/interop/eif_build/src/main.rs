//! Four commands over the public API of aws-nitro-enclaves-image-format, as nitro-cli calls it:
//!
//!   aws_eif build OUTPUT ARCH KERNEL CMDLINE METADATA.json CERT|- KEY|- RAMDISK...
//!   aws_eif describe EIF        the object that `nitro-cli describe-eif` prints
//!   aws_eif verify EIF          the signature check of `nitro-cli run-enclave`
//!   aws_eif sign EIF CERT KEY   `nitro-cli sign-eif`, in place
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::exit;

use aws_nitro_enclaves_image_format::defs::{EifIdentityInfo, EIF_HDR_ARCH_ARM64};
use aws_nitro_enclaves_image_format::utils::eif_reader::EifReader;
use aws_nitro_enclaves_image_format::utils::{
    EifBuilder, EifSigner, PcrSignatureChecker, SignKeyData,
};
use serde_json::{json, Value};
use sha2::{Digest, Sha384};

fn sign_data(cert: &str, key: &str) -> Result<Option<SignKeyData>, String> {
    if cert == "-" {
        return Ok(None);
    }
    SignKeyData::new(key, Path::new(cert)).map(Some)
}

fn build(args: &[String]) -> Result<BTreeMap<String, String>, String> {
    let flags = if args[1] == "aarch64" { EIF_HDR_ARCH_ARM64 } else { 0 };
    let text = std::fs::read_to_string(&args[4]).map_err(|e| e.to_string())?;
    let identity: EifIdentityInfo = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let mut output = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&args[0])
        .map_err(|e| e.to_string())?;
    let mut builder = EifBuilder::new(
        Path::new(&args[2]),
        args[3].clone(),
        sign_data(&args[5], &args[6])?,
        Sha384::new(),
        flags,
        identity,
    );
    for ramdisk in &args[7..] {
        builder.add_ramdisk(Path::new(ramdisk));
    }
    Ok(builder.write_to(&mut output))
}

/// The same keys as `EifDescribeInfo` of nitro-cli 1.5.0, absent ones left out.
fn describe(path: &str) -> Result<Value, String> {
    let mut reader = EifReader::from_eif(path.to_string())?;
    let measurements = reader.get_measurements()?;
    let mut info = json!({
        "EifVersion": reader.get_header().version,
        "Measurements": measurements,
        "IsSigned": false,
        "CheckCRC": reader.check_crc(),
    });
    if let Some(meta) = reader.get_metadata() {
        info["ImageName"] = json!(meta.img_name);
        info["ImageVersion"] = json!(meta.img_version);
        let mut about = serde_json::to_value(&meta.build_info).map_err(|e| e.to_string())?;
        about["DockerInfo"] = meta.docker_info;
        if let Value::Object(custom) = meta.custom_info {
            for (key, value) in custom {
                about[key] = value;
            }
        }
        info["Metadata"] = about;
    }
    if measurements.contains_key("PCR8") {
        let certificate = reader.get_certificate_info(measurements)?;
        info["IsSigned"] = json!(true);
        info["SigningCertificate"] = serde_json::to_value(certificate).map_err(|e| e.to_string())?;
        info["SignatureCheck"] = json!(reader.sign_check);
    }
    Ok(info)
}

fn verify(path: &str) -> Result<Value, String> {
    let mut checker = PcrSignatureChecker::from_eif(path)?;
    if checker.is_empty() {
        return Err("not signed".to_string());
    }
    checker.verify()?;
    Ok(json!({"verified": true}))
}

fn sign(args: &[String]) -> Result<Value, String> {
    let signer = EifSigner::new(sign_data(&args[1], &args[2])?).ok_or("no signing key")?;
    signer.sign_image(&args[0])?;
    Ok(json!({"signed": true}))
}

fn run(args: &[String]) -> Result<Value, String> {
    match args.first().map(String::as_str) {
        Some("build") => build(&args[1..]).map(|pcrs| json!(pcrs)),
        Some("describe") => describe(&args[1]),
        Some("verify") => verify(&args[1]),
        Some("sign") => sign(&args[1..]),
        _ => Err("usage: aws_eif build|describe|verify|sign ...".to_string()),
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(value) => println!("{value}"),
        Err(reason) => {
            eprintln!("{reason}");
            exit(1);
        }
    }
}
