package backend

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"github.com/edgeplan/edgeplan/statefile"
)

// lockSuffix names the object of the lock after that of the state.
const lockSuffix = ".lock"

// bucket keeps the state in an object of an S3 service. The lock is an object
// beside it that is only written where there is none (If-None-Match), and a state
// is only written over the one that was read (If-Match): so even a run that lost
// its lock cannot overwrite what came after.
type bucket struct {
	client      *minio.Client
	bucket, key string
	encryption  encrypt.ServerSide // nil: as the bucket is set
	customerKey bool
	timeout     time.Duration // of one operation, with its repetitions
}

func (b *bucket) Location() string { return "s3://" + b.bucket + "/" + b.key }

func (b *bucket) Read(ctx context.Context) (statefile.Snapshot, error) {
	content, etag, err := b.get(ctx, b.key)
	if isCode(err, minio.NoSuchKey) {
		return statefile.Snapshot{}, nil
	}
	if err != nil {
		return statefile.Snapshot{}, b.problem("read the state", err)
	}
	return statefile.Snapshot{Content: content, Version: etag}, nil
}

// get reads an object whole. Its checksum is verified where the service keeps one.
func (b *bucket) get(ctx context.Context, key string) (content []byte, etag string, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	options := minio.GetObjectOptions{Checksum: true}
	if b.customerKey {
		options.ServerSideEncryption = b.encryption
	}
	object, err := b.client.GetObject(ctx, b.bucket, key, options)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = object.Close() }()
	content, err = io.ReadAll(io.LimitReader(object, statefile.MaxBytes+1))
	if err != nil {
		return nil, "", err
	}
	if len(content) > statefile.MaxBytes {
		return nil, "", &tooLarge{}
	}
	info, err := object.Stat() // of the same answer
	return content, info.ETag, err
}

func (b *bucket) Write(ctx context.Context, content []byte, before statefile.Snapshot) error {
	if err := statefile.CheckSize(content); err != nil {
		return err
	}
	options := minio.PutObjectOptions{}
	if before.Content == nil {
		options.SetMatchETagExcept("*")
	} else {
		options.SetMatchETag(before.Version)
	}
	err := b.put(ctx, b.key, content, options)
	if isPrecondition(err) {
		return b.conflict(ctx, content)
	}
	if err != nil {
		return b.problem("write the state", err)
	}
	return nil
}

// conflict forgives one between a write and its own repetition, where only the
// answer of the first was lost.
func (b *bucket) conflict(ctx context.Context, content []byte) error {
	now, _, err := b.get(ctx, b.key)
	if err == nil && bytes.Equal(now, content) {
		return nil
	}
	return fmt.Errorf("%w: another run wrote it since it was read", statefile.ErrMoved)
}

func (b *bucket) put(ctx context.Context, key string, content []byte, options minio.PutObjectOptions) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	options.ContentType = "application/json"
	options.ServerSideEncryption = b.encryption
	options.UserMetadata = map[string]string{"X-Amz-Checksum-Crc32c": crc32c(content)} // kept, and verified by readers
	digest := sha256.Sum256(content)
	_, err := minio.Core{Client: b.client}.PutObject(ctx, b.bucket, key, bytes.NewReader(content), int64(len(content)),
		"", hex.EncodeToString(digest[:]), options)
	return err
}

func crc32c(content []byte) string {
	sum := crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// problem describes an error of the service or of the way to it.
func (b *bucket) problem(doing string, err error) error {
	if large := (*tooLarge)(nil); errors.As(err, &large) {
		return &Error{Location: b.Location(), Doing: doing, Err: err,
			Why:    fmt.Sprintf("the object has more than %d MiB, which is no state", statefile.MaxBytes>>20),
			Advice: "look whether bucket and key are right"}
	}
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) || answer.StatusCode == 0 {
		return unreachable(b.Location(), doing, b.timeout, err)
	}
	e := refusal(b.Location(), doing, answer.StatusCode, answer.Code)
	e.Err = err
	switch answer.Code {
	case minio.NoSuchBucket:
		e.Advice = fmt.Sprintf("create the bucket %s, or correct its name", b.bucket)
	case "InvalidAccessKeyId", "XAdminUserNotFound": // the latter with 404, from versitygw
		e.Advice = "look at the credentials, and at what they allow"
	case "PermanentRedirect", "AuthorizationHeaderMalformed":
		e.Advice = "look at region and endpoint: the bucket is elsewhere"
	case "NotImplemented":
		e.Advice = "this service cannot write under a condition, which the lock needs: use another one, or backend \"http\""
	}
	return e
}

func isCode(err error, code string) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && answer.Code == code
}

// isPrecondition is what a conditional write is refused with: 412, and 409 where
// two of them met.
func isPrecondition(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && (answer.StatusCode == http.StatusPreconditionFailed || answer.StatusCode == http.StatusConflict)
}
