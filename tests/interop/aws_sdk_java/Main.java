// What a program with the AWS SDK for Java does against the local cloud: each subcommand is one
// step and prints one JSON object. The endpoint, the CA and the credentials come from the
// environment, as `nitro-workflow cloud env --for java` prints them.
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.kms.model.DecryptRequest;
import software.amazon.awssdk.services.kms.model.DecryptResponse;
import software.amazon.awssdk.services.kms.model.EncryptResponse;
import software.amazon.awssdk.services.kms.model.KeyEncryptionMechanism;
import software.amazon.awssdk.services.kms.model.RecipientInfo;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.sts.StsClient;

public final class Main {
    private static final Map<String, String> CONTEXT = Map.of("dataset", "records");

    public static void main(String[] given) throws IOException {
        Map<String, Object> answer = new LinkedHashMap<>();
        int code = 0;
        try {
            switch (given[0]) {
                case "who" -> who(answer);
                case "create" -> create(answer, Path.of(given[1]), given[2]);
                case "decrypt" -> decrypt(answer, Path.of(given[1]), given[2]);
                case "store" -> store(answer, given[1]);
                default -> throw new IllegalArgumentException("no subcommand " + given[0]);
            }
        } catch (AwsServiceException refused) {
            answer.put("code", refused.awsErrorDetails().errorCode());
            answer.put("message", refused.awsErrorDetails().errorMessage());
            code = 1;
        } catch (SdkException failed) {
            answer.put("error", failed.toString());
            code = 1;
        }
        System.out.println(json(answer));
        System.exit(code);
    }

    private static void who(Map<String, Object> answer) {
        try (StsClient client = StsClient.create()) {
            answer.put("arn", client.getCallerIdentity().arn());
        }
    }

    /** Make a key with the policy of a file and encrypt a secret under it. */
    private static void create(Map<String, Object> answer, Path policyFile, String secret)
            throws IOException {
        String policy = Files.readString(policyFile);
        try (KmsClient client = KmsClient.create()) {
            String key = client.createKey(r -> r.policy(policy)).keyMetadata().arn();
            EncryptResponse sealed = client.encrypt(r -> r
                    .keyId(key).plaintext(SdkBytes.fromUtf8String(secret)).encryptionContext(CONTEXT));
            answer.put("key", key);
            answer.put("ciphertext", base64(sealed.ciphertextBlob()));
        }
    }

    /** Open a ciphertext: for the recipient of a document, or ("-") in clear. */
    private static void decrypt(Map<String, Object> answer, Path ciphertext, String document)
            throws IOException {
        DecryptRequest.Builder request = DecryptRequest.builder()
                .ciphertextBlob(SdkBytes.fromByteArray(Files.readAllBytes(ciphertext)))
                .encryptionContext(CONTEXT);
        if (!document.equals("-")) {
            request.recipient(RecipientInfo.builder()
                    .attestationDocument(SdkBytes.fromByteArray(Files.readAllBytes(Path.of(document))))
                    .keyEncryptionAlgorithm(KeyEncryptionMechanism.RSAES_OAEP_SHA_256)
                    .build());
        }
        try (KmsClient client = KmsClient.create()) {
            DecryptResponse out = client.decrypt(request.build());
            answer.put("plaintext", base64(out.plaintext()));
            answer.put("envelope", base64(out.ciphertextForRecipient()));
        }
    }

    /** Put an object (the SDK sends a checksum of its own choice with it), read it and list it. */
    private static void store(Map<String, Object> answer, String bucket) {
        String key = "a b/\u00fc+x";
        byte[] body = "0123456789abcdef".repeat(200_000).getBytes();
        try (S3Client client = S3Client.create()) {
            client.createBucket(r -> r.bucket(bucket));
            client.putObject(r -> r.bucket(bucket).key(key), RequestBody.fromBytes(body));
            byte[] read = client.getObjectAsBytes(r -> r.bucket(bucket).key(key)).asByteArray();
            answer.put("same", Arrays.equals(read, body));
            answer.put("key", client.listObjectsV2(r -> r.bucket(bucket)).contents().get(0).key());
        }
    }

    private static String base64(SdkBytes bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes.asByteArray());
    }

    private static String json(Map<String, Object> answer) {
        return answer.entrySet().stream()
                .map(e -> quoted(e.getKey()) + ": "
                        + (e.getValue() instanceof String text ? quoted(text) : e.getValue()))
                .collect(Collectors.joining(", ", "{", "}"));
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            boolean plain = c >= ' ' && c < 127 && c != '"' && c != '\\';
            out.append(plain ? String.valueOf(c) : String.format("\\u%04x", (int) c));
        }
        return out.append('"').toString();
    }
}
