package main

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/vault/api"
)

func keyValue(root *api.Client) {
	ctx := context.Background()
	step("KV v1", func() {
		ok(root.Sys().Mount("kv1", &api.MountInput{Type: "kv"}))
		kv := root.KVv1("kv1")
		ok(kv.Put(ctx, "a/b", fields{"user": "ann", "ttl": "1h"}))
		got := must(kv.Get(ctx, "a/b"))
		equal("data", got.Data, fields{"user": "ann", "ttl": "1h"})
		equal("the advice", got.Raw.LeaseDuration, 3600)
		equal("keys", texts(must(root.Logical().List("kv1")).Data["keys"]), []string{"a/"})
		ok(kv.Delete(ctx, "a/b"))
		_, err := kv.Get(ctx, "a/b")
		check("gone", errors.Is(err, api.ErrSecretNotFound))
	})
	kv := root.KVv2("secret")
	step("KV v2: versions", func() {
		first := must(kv.Put(ctx, "app", fields{"user": "ann", "count": 1}))
		equal("the version", first.VersionMetadata.Version, 1)
		check("a time", !first.VersionMetadata.CreatedTime.IsZero())
		must(kv.Put(ctx, "app", fields{"user": "bob"}, api.WithCheckAndSet(1)))
		_, err := kv.Put(ctx, "app", fields{}, api.WithCheckAndSet(1))
		refused(err, 400, "check-and-set parameter did not match the current version")
		got := must(kv.Get(ctx, "app"))
		equal("data", got.Data, fields{"user": "bob"})
		equal("the version", got.VersionMetadata.Version, 2)
		check("the first", must(kv.GetVersion(ctx, "app", 1)).Data["user"] == "ann")
		equal("both", len(must(kv.GetVersionsAsList(ctx, "app"))), 2)
		_, err = kv.Get(ctx, "nosuch")
		check("nothing", errors.Is(err, api.ErrSecretNotFound))
	})
	step("KV v2: patches and rollback", func() {
		equal("patched", must(kv.Patch(ctx, "app", fields{"more": "x"})).VersionMetadata.Version, 3)
		equal("merged", must(kv.Get(ctx, "app")).Data, fields{"user": "bob", "more": "x"})
		must(kv.Patch(ctx, "app", fields{"more": nil}, api.WithMergeMethod(api.KVMergeMethodPatch), api.WithCheckAndSet(3)))
		equal("without", must(kv.Get(ctx, "app")).Data, fields{"user": "bob"})
		must(kv.Patch(ctx, "app", fields{"rw": "y"}, api.WithMergeMethod(api.KVMergeMethodReadWrite)))
		equal("read and written", must(kv.Get(ctx, "app")).Data, fields{"user": "bob", "rw": "y"})
		_, err := kv.Patch(ctx, "nosuch", fields{"a": "b"})
		check("nothing to patch", errors.Is(err, api.ErrSecretNotFound))
		equal("rolled back", must(kv.Rollback(ctx, "app", 1)).VersionMetadata.Version, 6)
		check("the first again", must(kv.Get(ctx, "app")).Data["user"] == "ann")
	})
	step("KV v2: deletion", func() {
		ok(kv.Delete(ctx, "app"))
		got := must(kv.Get(ctx, "app"))
		check("deleted, with its metadata", got.Data == nil && !got.VersionMetadata.DeletionTime.IsZero())
		ok(kv.Undelete(ctx, "app", []int{6}))
		check("back", must(kv.Get(ctx, "app")).Data["user"] == "ann")
		ok(kv.DeleteVersions(ctx, "app", []int{2, 3}))
		ok(kv.Destroy(ctx, "app", []int{1}))
		versions := must(kv.GetVersionsAsList(ctx, "app"))
		check("destroyed", versions[0].Destroyed && !versions[1].Destroyed && !versions[1].DeletionTime.IsZero())
	})
	step("KV v2: metadata", func() {
		ok(kv.PutMetadata(ctx, "app", api.KVMetadataPutInput{MaxVersions: 4, CASRequired: true, DeleteVersionAfter: time.Hour, CustomMetadata: fields{"owner": "me"}}))
		metadata := must(kv.GetMetadata(ctx, "app"))
		equal("versions", metadata.MaxVersions, 4)
		equal("cas", metadata.CASRequired, true)
		equal("deletion", metadata.DeleteVersionAfter, time.Hour)
		equal("custom", metadata.CustomMetadata, fields{"owner": "me"})
		equal("current", metadata.CurrentVersion, 6)
		_, err := kv.Put(ctx, "app", fields{"a": "b"})
		refused(err, 400, "check-and-set parameter required for this call")
		required, more := false, 9
		ok(kv.PatchMetadata(ctx, "app", api.KVMetadataPatchInput{CASRequired: &required, MaxVersions: &more, CustomMetadata: fields{"team": "x", "owner": nil}}))
		metadata = must(kv.GetMetadata(ctx, "app"))
		check("patched", !metadata.CASRequired && metadata.MaxVersions == 9 && metadata.DeleteVersionAfter == time.Hour)
		equal("custom", metadata.CustomMetadata, fields{"team": "x"})
		equal("custom, with data", must(kv.Put(ctx, "app", fields{"a": "b"})).CustomMetadata, fields{"team": "x"})
		ok(kv.DeleteMetadata(ctx, "app"))
		_, err = kv.GetMetadata(ctx, "app")
		check("gone", errors.Is(err, api.ErrSecretNotFound))
		config := must(root.Logical().Read("secret/config")).Data
		check("the engine's own", config["delete_version_after"] == "0s" && config["cas_required"] == false)
	})
}
