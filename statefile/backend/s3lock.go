package backend

import (
	"context"
	"encoding/json"

	"github.com/minio/minio-go/v7"

	"github.com/edgeplan/edgeplan/statefile"
)

// Lock writes the object of the lock, if there is none.
func (b *bucket) Lock(ctx context.Context, info statefile.LockInfo) error {
	content, err := json.Marshal(info)
	if err != nil {
		return err
	}
	options := minio.PutObjectOptions{}
	options.SetMatchETagExcept("*")
	held := &statefile.LockError{Location: b.Location(), Outlives: true}
	for range 3 { // the lock may have been given back when its holder is looked for
		err = b.put(ctx, b.key+lockSuffix, content, options)
		if err == nil {
			return nil
		}
		if !isPrecondition(err) {
			return b.problem("lock the state", err)
		}
		if held.Info, err = b.holder(ctx); err != nil {
			return b.problem("read who holds the lock of the state", err)
		}
		switch held.Info.ID {
		case "":
		case info.ID: // the answer to the first attempt was lost
			return nil
		default:
			return held
		}
	}
	return held
}

// holder reads who holds the lock; zero when nobody does, or when it is not known.
func (b *bucket) holder(ctx context.Context) (statefile.LockInfo, error) {
	content, _, err := b.get(ctx, b.key+lockSuffix)
	if isCode(err, minio.NoSuchKey) {
		return statefile.LockInfo{}, nil
	}
	return statefile.ParseLockInfo(content), err
}

// Unlock removes the object of the lock, if it is the one with this ID.
func (b *bucket) Unlock(ctx context.Context, id string) error {
	const doing = "unlock the state"
	content, _, err := b.get(ctx, b.key+lockSuffix)
	if isCode(err, minio.NoSuchKey) {
		return statefile.ErrNotLocked
	}
	if err != nil {
		return b.problem(doing, err)
	}
	if holder := statefile.ParseLockInfo(content); holder.ID != id {
		return &statefile.LockError{Location: b.Location(), Info: holder, Outlives: true}
	}
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	if err := b.client.RemoveObject(ctx, b.bucket, b.key+lockSuffix, minio.RemoveObjectOptions{}); err != nil {
		return b.problem(doing, err)
	}
	return nil
}
