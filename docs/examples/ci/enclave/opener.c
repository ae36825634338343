/* An enclave that opens what KMS sealed for it, in one file of C on OpenSSL.
 *
 * One connection on vsock port 7 is one job:
 *   enclave -> parent   attestation document with the enclave's RSA public key    (a frame)
 *   parent  -> enclave  CiphertextForRecipient, as KMS answered it                (a frame)
 *   enclave -> parent   SHA-256 of the plaintext, or no byte where it cannot be opened  (a frame)
 * A frame is a length of 4 bytes, big-endian, and so many bytes. The private key is made here and
 * never leaves; the plaintext does not leave either.
 *
 * gcc -static -O2 -o opener opener.c $(pkg-config --static --libs libcrypto)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct nsm_message { struct iovec request, response; };
#define NSM_REQUEST _IOWR(0x0A, 0, struct nsm_message)
#define LONGEST 0x3000

static void fail(const char *what) { perror(what); exit(1); }

static int transfer(int fd, unsigned char *data, size_t size, int sending) {
    while (size) {
        ssize_t done = sending ? write(fd, data, size) : read(fd, data, size);
        if (done <= 0) return -1;
        data += done;
        size -= done;
    }
    return 0;
}

static int send_frame(int fd, unsigned char *data, size_t size) {
    uint32_t head = htonl(size);
    return transfer(fd, (void *)&head, sizeof head, 1) || transfer(fd, data, size, 1);
}

static long receive_frame(int fd, unsigned char *data) {
    uint32_t head;
    if (transfer(fd, (void *)&head, sizeof head, 0)) return -1;
    size_t size = ntohl(head);
    return size > LONGEST || transfer(fd, data, size, 0) ? -1 : (long)size;
}

/* {"Attestation": {"user_data": null, "nonce": null, "public_key": bytes}} in CBOR */
static size_t attestation_request(EVP_PKEY *key, unsigned char *out) {
    static const char head[] = "\xa1\x6b" "Attestation" "\xa3\x69" "user_data\xf6"
                               "\x65" "nonce\xf6" "\x6a" "public_key\x59";
    unsigned char *spki = out + sizeof head - 1 + 2;
    int size = i2d_PUBKEY(key, &spki);
    memcpy(out, head, sizeof head - 1);
    out[sizeof head - 1] = size >> 8;
    out[sizeof head] = size;
    return sizeof head - 1 + 2 + size;
}

/* The document in {"Attestation": {"document": bytes}}: its length is 0x59 and two bytes. */
static unsigned char *document_for(int nsm, EVP_PKEY *key, size_t *size) {
    static unsigned char request[1024], answer[LONGEST];
    struct nsm_message message = { { request, attestation_request(key, request) },
                                   { answer, sizeof answer } };
    if (ioctl(nsm, NSM_REQUEST, &message)) fail("ioctl");
    unsigned char *name = memmem(answer, message.response.iov_len, "document\x59", 9);
    if (!name) fail("no document");
    *size = name[9] << 8 | name[10];
    return name + 11;
}

/* Returns 32, or 0 where the envelope is not for this key. */
static size_t digest_of_content(EVP_PKEY *key, const unsigned char *envelope, long size,
                                unsigned char *digest) {
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &envelope, size);
    BIO *plain = BIO_new(BIO_s_mem());
    char *content;
    unsigned length = 0;
    if (cms && CMS_decrypt(cms, key, NULL, NULL, plain, 0) == 1) {
        long found = BIO_get_mem_data(plain, &content);
        EVP_Digest(content, found, digest, &length, EVP_sha256(), NULL);
        OPENSSL_cleanse(content, found);
    }
    BIO_free(plain);
    CMS_ContentInfo_free(cms);
    return length;
}

static void job(int client, int nsm, EVP_PKEY *key) {
    static unsigned char envelope[LONGEST], digest[EVP_MAX_MD_SIZE];
    size_t size;
    unsigned char *document = document_for(nsm, key, &size);
    if (send_frame(client, document, size)) return;
    long got = receive_frame(client, envelope);
    if (got < 0) return;
    send_frame(client, digest, digest_of_content(key, envelope, got, digest));
}

int main(void) {
    struct sockaddr_vm here = { .svm_family = AF_VSOCK, .svm_port = 7, .svm_cid = VMADDR_CID_ANY };
    int listener = socket(AF_VSOCK, SOCK_STREAM, 0), nsm = open("/dev/nsm", O_RDWR);
    if (listener < 0 || bind(listener, (void *)&here, sizeof here) || listen(listener, 8)) fail("vsock");
    if (nsm < 0) fail("/dev/nsm");
    EVP_PKEY *key = EVP_RSA_gen(2048);
    if (!key) fail("no key");
    printf("opener: listening on vsock port 7\n");
    fflush(stdout);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0) fail("accept");
        job(client, nsm, key);
        close(client);
    }
}
