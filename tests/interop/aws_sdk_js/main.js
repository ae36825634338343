// What a program with the AWS SDK for JavaScript does against the local cloud: each subcommand is
// one step and prints one JSON object. The endpoint, the CA and the credentials come from the
// environment, as `nitro-workflow cloud env --for js` prints them.
import { readFileSync } from "node:fs";
import { CreateKeyCommand, DecryptCommand, EncryptCommand, KMSClient } from "@aws-sdk/client-kms";
import {
  CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client,
} from "@aws-sdk/client-s3";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const EncryptionContext = { dataset: "records" };
const base64 = (bytes) => (bytes === undefined ? null : Buffer.from(bytes).toString("base64"));

async function who() {
  const out = await new STSClient({}).send(new GetCallerIdentityCommand({}));
  return { arn: out.Arn };
}

// Make a key with the policy of a file and encrypt a secret under it.
async function create(policyFile, secret) {
  const client = new KMSClient({});
  const Policy = readFileSync(policyFile, "utf8");
  const KeyId = (await client.send(new CreateKeyCommand({ Policy }))).KeyMetadata.Arn;
  const Plaintext = Buffer.from(secret);
  const sealed = await client.send(new EncryptCommand({ KeyId, Plaintext, EncryptionContext }));
  return { key: KeyId, ciphertext: base64(sealed.CiphertextBlob) };
}

// Open a ciphertext: for the recipient of a document, or ("-") in clear.
async function decrypt(ciphertextFile, documentFile) {
  const input = { CiphertextBlob: readFileSync(ciphertextFile), EncryptionContext };
  if (documentFile !== "-") {
    input.Recipient = {
      AttestationDocument: readFileSync(documentFile),
      KeyEncryptionAlgorithm: "RSAES_OAEP_SHA_256",
    };
  }
  const out = await new KMSClient({}).send(new DecryptCommand(input));
  return { plaintext: base64(out.Plaintext), envelope: base64(out.CiphertextForRecipient) };
}

// Put an object (the SDK sends a checksum of its own choice with it), read it and list it.
async function store(Bucket) {
  const client = new S3Client({});
  await client.send(new CreateBucketCommand({ Bucket }));
  const Key = "a b/ü+x";
  const Body = Buffer.from("0123456789abcdef".repeat(200_000));
  await client.send(new PutObjectCommand({ Bucket, Key, Body }));
  const out = await client.send(new GetObjectCommand({ Bucket, Key }));
  const read = Buffer.from(await out.Body.transformToByteArray());
  const list = await client.send(new ListObjectsV2Command({ Bucket }));
  return { same: read.equals(Body), key: list.Contents[0].Key };
}

const [step, ...given] = process.argv.slice(2);
try {
  console.log(JSON.stringify(await { who, create, decrypt, store }[step](...given)));
} catch (error) {
  const refused = error.$metadata?.httpStatusCode !== undefined;
  const { name: code, message } = error;
  console.log(JSON.stringify(refused ? { code, message } : { error: `${code}: ${message}` }));
  process.exitCode = 1;
}
