// What a program with the AWS SDK for Go v1 does against the local cloud: the steps of ../aws_sdk_go.
// This SDK reads no AWS_ENDPOINT_URL: the program hands it over, as programs with it do.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/kms"
	"github.com/aws/aws-sdk-go/service/s3"
	"github.com/aws/aws-sdk-go/service/s3/s3manager"
	"github.com/aws/aws-sdk-go/service/sts"
)

type answer map[string]any

func main() {
	settings, err := session.NewSession(&aws.Config{
		Endpoint:         aws.String(os.Getenv("AWS_ENDPOINT_URL")),
		S3ForcePathStyle: aws.Bool(true),
	})
	if err != nil {
		fail(err)
	}
	var result answer
	switch os.Args[1] {
	case "who":
		result, err = who(sts.New(settings))
	case "create":
		result, err = create(kms.New(settings), os.Args[2], os.Args[3])
	case "decrypt":
		result, err = decrypt(kms.New(settings), os.Args[2], os.Args[3])
	case "store":
		result, err = store(s3.New(settings), os.Args[2])
	default:
		err = fmt.Errorf("no subcommand %q", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
	print(result)
}

func who(client *sts.STS) (answer, error) {
	out, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, err
	}
	return answer{"arn": *out.Arn}, nil
}

// create makes a key with the policy of a file and encrypts a secret under it.
func create(client *kms.KMS, policyFile, secret string) (answer, error) {
	policy, err := os.ReadFile(policyFile)
	if err != nil {
		return nil, err
	}
	key, err := client.CreateKey(&kms.CreateKeyInput{Policy: aws.String(string(policy))})
	if err != nil {
		return nil, err
	}
	sealed, err := client.Encrypt(&kms.EncryptInput{
		KeyId:             key.KeyMetadata.Arn,
		Plaintext:         []byte(secret),
		EncryptionContext: map[string]*string{"dataset": aws.String("records")},
	})
	if err != nil {
		return nil, err
	}
	return answer{"key": *key.KeyMetadata.Arn, "ciphertext": sealed.CiphertextBlob}, nil
}

// decrypt opens a ciphertext: for the recipient of a document, or ("-") in clear.
func decrypt(client *kms.KMS, ciphertextFile, documentFile string) (answer, error) {
	ciphertext, err := os.ReadFile(ciphertextFile)
	if err != nil {
		return nil, err
	}
	input := &kms.DecryptInput{
		CiphertextBlob:    ciphertext,
		EncryptionContext: map[string]*string{"dataset": aws.String("records")},
	}
	if documentFile != "-" {
		document, err := os.ReadFile(documentFile)
		if err != nil {
			return nil, err
		}
		input.Recipient = &kms.RecipientInfo{
			AttestationDocument:    document,
			KeyEncryptionAlgorithm: aws.String(kms.KeyEncryptionMechanismRsaesOaepSha256),
		}
	}
	out, err := client.Decrypt(input)
	if err != nil {
		return nil, err
	}
	return answer{"plaintext": out.Plaintext, "envelope": out.CiphertextForRecipient}, nil
}

// store puts an object in parts and reads it.
func store(client *s3.S3, bucket string) (answer, error) {
	if _, err := client.CreateBucket(&s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		return nil, err
	}
	key, body := aws.String("a b/ü+x"), bytes.Repeat([]byte("0123456789abcdef"), 500_000)
	put := &s3manager.UploadInput{Bucket: &bucket, Key: key, Body: bytes.NewReader(body)}
	if _, err := s3manager.NewUploaderWithClient(client).Upload(put); err != nil {
		return nil, err
	}
	out, err := client.GetObject(&s3.GetObjectInput{Bucket: &bucket, Key: key})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	read, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, err
	}
	list, err := client.ListObjectsV2(&s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		return nil, err
	}
	return answer{"same": bytes.Equal(read, body), "key": *list.Contents[0].Key}, nil
}

func fail(err error) {
	result := answer{"error": err.Error()}
	var refused awserr.RequestFailure
	if errors.As(err, &refused) {
		result = answer{"code": refused.Code(), "message": refused.Message()}
	}
	print(result)
	os.Exit(1)
}

func print(result answer) {
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		panic(err)
	}
}
