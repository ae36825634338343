//! What a program with the AWS SDK for Rust does against the local cloud: each subcommand is one
//! step and prints one JSON object. The endpoint, the CA and the credentials come from the
//! environment, as `nitro-workflow cloud env --for rust` prints them.
use std::error::Error;
use std::fmt::Debug;
use std::fs;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyEncryptionMechanism, RecipientInfo};
use base64::{engine::general_purpose::STANDARD, Engine};
use serde_json::{json, Value};

/// What a step answers, or what it prints when it was refused or failed.
type Answer = Result<Value, Value>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = given.iter().map(String::as_str).collect();
    let settings = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let answer = match words[..] {
        ["who"] => who(&settings).await,
        ["create", policy, secret] => create(&settings, policy, secret).await,
        ["decrypt", ciphertext, document] => decrypt(&settings, ciphertext, document).await,
        ["store", bucket] => store(&settings, bucket).await,
        _ => Err(json!({"error": format!("no such step: {given:?}")})),
    };
    println!("{}", answer.as_ref().unwrap_or_else(|failure| failure));
    std::process::exit(i32::from(answer.is_err()));
}

async fn who(settings: &SdkConfig) -> Answer {
    let client = aws_sdk_sts::Client::new(settings);
    let out = client.get_caller_identity().send().await.map_err(failure)?;
    Ok(json!({"arn": out.arn()}))
}

/// Make a key with the policy of a file and encrypt a secret under it.
async fn create(settings: &SdkConfig, policy_file: &str, secret: &str) -> Answer {
    let client = aws_sdk_kms::Client::new(settings);
    let policy = fs::read_to_string(policy_file).map_err(unreadable)?;
    let made = client.create_key().policy(policy).send().await.map_err(failure)?;
    let key = made.key_metadata().and_then(|k| k.arn()).expect("a new key has an ARN");
    let sealed = client
        .encrypt()
        .key_id(key)
        .plaintext(Blob::new(secret))
        .encryption_context("dataset", "records")
        .send()
        .await
        .map_err(failure)?;
    Ok(json!({"key": key, "ciphertext": base64(sealed.ciphertext_blob())}))
}

/// Open a ciphertext: for the recipient of a document, or ("-") in clear.
async fn decrypt(settings: &SdkConfig, ciphertext: &str, document: &str) -> Answer {
    let client = aws_sdk_kms::Client::new(settings);
    let mut request = client
        .decrypt()
        .ciphertext_blob(Blob::new(fs::read(ciphertext).map_err(unreadable)?))
        .encryption_context("dataset", "records");
    if document != "-" {
        let recipient = RecipientInfo::builder()
            .attestation_document(Blob::new(fs::read(document).map_err(unreadable)?))
            .key_encryption_algorithm(KeyEncryptionMechanism::RsaesOaepSha256)
            .build();
        request = request.recipient(recipient);
    }
    let out = request.send().await.map_err(failure)?;
    Ok(json!({
        "plaintext": base64(out.plaintext()),
        "envelope": base64(out.ciphertext_for_recipient()),
    }))
}

/// Put an object (the SDK sends a checksum of its own choice with it), read it and list it.
async fn store(settings: &SdkConfig, bucket: &str) -> Answer {
    let client = aws_sdk_s3::Client::new(settings);
    client.create_bucket().bucket(bucket).send().await.map_err(failure)?;
    let (key, body) = ("a b/ü+x", "0123456789abcdef".repeat(200_000).into_bytes());
    let put = client.put_object().bucket(bucket).key(key).body(body.clone().into());
    put.send().await.map_err(failure)?;
    let out = client.get_object().bucket(bucket).key(key).send().await.map_err(failure)?;
    let read = out.body.collect().await.map_err(|e| json!({"error": e.to_string()}))?;
    let list = client.list_objects_v2().bucket(bucket).send().await.map_err(failure)?;
    let listed = list.contents().first().and_then(|object| object.key());
    Ok(json!({"same": read.to_vec() == body, "key": listed}))
}

fn base64(bytes: Option<&Blob>) -> Option<String> {
    bytes.map(|blob| STANDARD.encode(blob.as_ref()))
}

fn unreadable(error: std::io::Error) -> Value {
    json!({"error": error.to_string()})
}

fn failure<E, R>(error: SdkError<E, R>) -> Value
where
    E: ProvideErrorMetadata + Error + 'static,
    R: Debug,
{
    match error.as_service_error() {
        Some(refused) => json!({"code": refused.code(), "message": refused.message()}),
        None => json!({"error": DisplayErrorContext(&error).to_string()}),
    }
}
