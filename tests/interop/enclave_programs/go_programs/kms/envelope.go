package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
)

// What is read of a CiphertextForRecipient: CMS EnvelopedData (RFC 5652 §6.1), which AWS writes with
// indefinite lengths; `definite` makes them definite for encoding/asn1.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content envelopedData `asn1:"explicit,tag:0"`
}

type envelopedData struct {
	Version    int
	Recipients []recipientInfo `asn1:"set"`
	Encrypted  encryptedContent
}

type recipientInfo struct {
	Version      int
	Identifier   asn1.RawValue
	Algorithm    asn1.RawValue
	EncryptedKey []byte
}

type encryptedContent struct {
	Type      asn1.ObjectIdentifier
	Algorithm struct {
		Identifier asn1.ObjectIdentifier
		IV         []byte
	}
	Content asn1.RawValue `asn1:"tag:0"`
}

func open(envelope []byte, key *rsa.PrivateKey) ([]byte, error) {
	whole, _, err := definite(envelope)
	if err != nil {
		return nil, err
	}
	var info contentInfo
	if _, err := asn1.Unmarshal(whole, &info); err != nil {
		return nil, err
	}
	if len(info.Content.Recipients) != 1 {
		return nil, errors.New("not one recipient")
	}
	contentKey, err := rsa.DecryptOAEP(sha256.New(), nil, key, info.Content.Recipients[0].EncryptedKey, nil)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		return nil, err
	}
	sealed, err := octets(info.Content.Encrypted.Content)
	if err != nil || len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return nil, errors.New("the content is not whole blocks")
	}
	clear := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, info.Content.Encrypted.Algorithm.IV).CryptBlocks(clear, sealed)
	padding := int(clear[len(clear)-1])
	if padding == 0 || padding > aes.BlockSize {
		return nil, errors.New("bad padding")
	}
	return clear[:len(clear)-padding], nil
}

// octets joins the pieces of a constructed octet string.
func octets(value asn1.RawValue) ([]byte, error) {
	if !value.IsCompound {
		return value.Bytes, nil
	}
	var joined []byte
	for rest := value.Bytes; len(rest) > 0; {
		var piece asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &piece); err != nil {
			return nil, err
		}
		joined = append(joined, piece.Bytes...)
	}
	return joined, nil
}

// definite returns the first item of data with definite lengths, and how long it was.
func definite(data []byte) ([]byte, int, error) {
	if len(data) < 2 {
		return nil, 0, errors.New("cut short")
	}
	if data[1] != 0x80 {
		var item asn1.RawValue
		rest, err := asn1.Unmarshal(data, &item)
		return item.FullBytes, len(data) - len(rest), err
	}
	var inner []byte
	at := 2
	for {
		if len(data) < at+2 {
			return nil, 0, errors.New("cut short")
		}
		if data[at] == 0 && data[at+1] == 0 {
			break
		}
		item, length, err := definite(data[at:])
		if err != nil {
			return nil, 0, err
		}
		inner = append(inner, item...)
		at += length
	}
	whole, err := asn1.Marshal(asn1.RawValue{
		Class: int(data[0] >> 6), Tag: int(data[0] & 0x1f), IsCompound: data[0]&0x20 != 0, Bytes: inner,
	})
	return whole, at + 2, err
}
