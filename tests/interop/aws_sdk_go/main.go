// What a program with the AWS SDK for Go does against the local cloud: each subcommand is one step
// and prints one JSON object. The endpoint, the CA and the credentials come from the environment,
// as `nitro-workflow cloud env --for go` prints them: nothing here knows that the cloud is local.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

type answer map[string]any

func main() {
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		fail(err)
	}
	var result answer
	switch os.Args[1] {
	case "who":
		result, err = who(ctx, sts.NewFromConfig(settings))
	case "create":
		result, err = create(ctx, kms.NewFromConfig(settings), os.Args[2], os.Args[3])
	case "decrypt":
		result, err = decrypt(ctx, kms.NewFromConfig(settings), os.Args[2], os.Args[3])
	case "store":
		result, err = store(ctx, s3.NewFromConfig(settings), os.Args[2])
	default:
		err = fmt.Errorf("no subcommand %q", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
	print(result)
}

func who(ctx context.Context, client *sts.Client) (answer, error) {
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, err
	}
	return answer{"arn": *out.Arn}, nil
}

// create makes a key with the policy of a file and encrypts a secret under it.
func create(ctx context.Context, client *kms.Client, policyFile, secret string) (answer, error) {
	policy, err := os.ReadFile(policyFile)
	if err != nil {
		return nil, err
	}
	key, err := client.CreateKey(ctx, &kms.CreateKeyInput{Policy: aws.String(string(policy))})
	if err != nil {
		return nil, err
	}
	sealed, err := client.Encrypt(ctx, &kms.EncryptInput{
		KeyId:             key.KeyMetadata.Arn,
		Plaintext:         []byte(secret),
		EncryptionContext: map[string]string{"dataset": "records"},
	})
	if err != nil {
		return nil, err
	}
	return answer{"key": *key.KeyMetadata.Arn, "ciphertext": sealed.CiphertextBlob}, nil
}

// decrypt opens a ciphertext: for the recipient of a document, or ("-") in clear.
func decrypt(ctx context.Context, client *kms.Client, ciphertextFile, documentFile string) (answer, error) {
	ciphertext, err := os.ReadFile(ciphertextFile)
	if err != nil {
		return nil, err
	}
	input := &kms.DecryptInput{
		CiphertextBlob:    ciphertext,
		EncryptionContext: map[string]string{"dataset": "records"},
	}
	if documentFile != "-" {
		document, err := os.ReadFile(documentFile)
		if err != nil {
			return nil, err
		}
		input.Recipient = &kmstypes.RecipientInfo{
			AttestationDocument:    document,
			KeyEncryptionAlgorithm: kmstypes.KeyEncryptionMechanismRsaesOaepSha256,
		}
	}
	out, err := client.Decrypt(ctx, input)
	if err != nil {
		return nil, err
	}
	return answer{"plaintext": out.Plaintext, "envelope": out.CiphertextForRecipient}, nil
}

// store puts an object (the SDK streams it aws-chunked, with a checksum behind it) and reads it.
func store(ctx context.Context, client *s3.Client, bucket string) (answer, error) {
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		return nil, err
	}
	key, body := aws.String("a b/ü+x"), bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	put := &s3.PutObjectInput{Bucket: &bucket, Key: key, Body: bytes.NewReader(body)}
	if _, err := client.PutObject(ctx, put); err != nil {
		return nil, err
	}
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: key})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	read, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, err
	}
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		return nil, err
	}
	return answer{"same": bytes.Equal(read, body), "key": *list.Contents[0].Key}, nil
}

func fail(err error) {
	result := answer{"error": err.Error()}
	var refused smithy.APIError
	if errors.As(err, &refused) {
		result = answer{"code": refused.ErrorCode(), "message": refused.ErrorMessage()}
	}
	print(result)
	os.Exit(1)
}

func print(result answer) {
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		panic(err)
	}
}
