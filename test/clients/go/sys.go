package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"
)

func system(root *api.Client) {
	sys := root.Sys()
	step("health, seal status and leader", func() {
		health := must(sys.Health())
		check("health", health.Initialized && !health.Sealed && !health.Standby && health.Version != "")
		status := must(sys.SealStatus())
		check("seal status", status.Type == "shamir" && status.Initialized && !status.Sealed && status.T == 1 && status.N == 1)
		equal("the version", status.Version, health.Version)
		equal("the cluster", status.ClusterID, health.ClusterID)
		equal("initialized", must(sys.InitStatus()), true)
		leader := must(sys.Leader())
		equal("ha_enabled", leader.HAEnabled, false)
	})
	step("policies", func() {
		rules := `path "secret/data/app" { capabilities = ["read", "list"] }`
		ok(sys.PutPolicy("app", rules))
		equal("the policy", must(sys.GetPolicy("app")), rules)
		check("listed", slices.Contains(must(sys.ListPolicies()), "app"))
		refused(sys.PutPolicy("root", rules), 400, "cannot update")
		refused(sys.PutPolicy("bad", "path {"), 400, "failed to parse policy")
		ok(sys.PutPolicy("gone", rules))
		ok(sys.DeletePolicy("gone"))
		equal("a policy that is not there", must(sys.GetPolicy("gone")), "")
	})
	step("capabilities", func() {
		made := must(root.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"app"}, TTL: "1h"})).Auth
		equal("of a token", must(sys.Capabilities(made.ClientToken, "secret/data/app")), []string{"list", "read"})
		equal("by accessor", must(sys.CapabilitiesAccessor(made.Accessor, "secret/data/other")), []string{"deny"})
		equal("of root", must(sys.CapabilitiesSelf("secret/data/app")), []string{"root"})
	})
	step("audit devices", func() {
		options := &api.EnableAuditOptions{Type: "file", Description: "a file", Options: map[string]string{"file_path": os.Getenv("AUDIT_FILE")}}
		ok(sys.EnableAuditWithOptions("file", options))
		device := must(sys.ListAudit())["file/"]
		check("listed", device != nil && device.Type == "file" && device.Path == "file/" && device.Options["file_path"] != "")
		hash := must(sys.AuditHash("file", "canary"))
		check("a hash", strings.HasPrefix(hash, "hmac-sha256:"))
		refused(sys.EnableAuditWithOptions("file", options), 400, "path already in use")
		must(root.Logical().Write("secret/data/audited", fields{"data": fields{"value": "canary"}}))
		check("the hash is in the file", strings.Contains(file("AUDIT_FILE"), hash))
		ok(sys.DisableAudit("file"))
		equal("no device", len(must(sys.ListAudit())), 0)
	})
	step("keys", func() {
		before := must(sys.KeyStatus())
		ok(sys.Rotate())
		after := must(sys.KeyStatus())
		equal("the term", after.Term, before.Term+1)
		check("the time", !after.InstallTime.IsZero())
	})
	step("CORS", func() {
		ok(sys.ConfigureCORS(&api.CORSRequest{Enabled: true, AllowedOrigins: []string{"https://a.example"}, AllowedHeaders: []string{"X-Mine"}}))
		status := must(sys.CORSStatus())
		check("enabled", status.Enabled && slices.Contains(status.AllowedHeaders, "X-Mine"))
		equal("origins", status.AllowedOrigins, []string{"https://a.example"})
		ok(sys.DisableCORS())
		equal("disabled", must(sys.CORSStatus()).Enabled, false)
	})
	step("plugins", func() {
		listed := must(sys.ListPlugins(&api.ListPluginsInput{}))
		check("secrets engines", slices.Contains(listed.PluginsByType[api.PluginTypeSecrets], "transit"))
		check("auth methods", slices.Contains(listed.PluginsByType[api.PluginTypeCredential], "kubernetes"))
		check("databases", slices.Contains(listed.PluginsByType[api.PluginTypeDatabase], "postgresql-database-plugin"))
		check("details", len(listed.Details) > 0 && listed.Details[0].Builtin)
		plugin := must(sys.GetPlugin(&api.GetPluginInput{Name: "kv", Type: api.PluginTypeSecrets}))
		check("kv is built in", plugin.Builtin && plugin.Name == "kv")
	})
	step("the log", func() {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		lines := must(sys.Monitor(ctx, "debug", "json"))
		ok(sys.Rotate())
		check("a line", strings.Contains(<-lines, "barrier was rotated"))
	})
	step("replication, help and what is not there", func() {
		status := must(root.Logical().Read("sys/replication/status"))
		check("no replication", status == nil || status.Data != nil)
		help := must(root.Help("secret"))
		check("help", help.Help != "")
		_, err := root.Logical().Write("no/such/mount", fields{"a": "b"})
		refused(err, 404, "no handler for route")
		secret, err := root.Logical().Read("secret/data/nosuch")
		check("nothing", secret == nil && err == nil)
	})
}

func mounts(root *api.Client) {
	sys := root.Sys()
	step("mounts", func() {
		ok(sys.Mount("old", &api.MountInput{
			Type: "kv", Description: "of old", Options: map[string]string{"version": "1"},
			Config: api.MountConfigInput{DefaultLeaseTTL: "1h", MaxLeaseTTL: "2h", ListingVisibility: "unauth"},
		}))
		mount := must(sys.ListMounts())["old/"]
		check("listed", mount != nil && mount.Type == "kv" && mount.Description == "of old" && mount.Accessor != "" && mount.UUID != "")
		equal("its TTL", mount.Config.DefaultLeaseTTL, 3600)
		equal("its options", mount.Options, map[string]string{"version": "1"})
		equal("one", must(sys.GetMount("old")).Accessor, mount.Accessor)
		_, err := sys.GetMount("nosuch")
		refused(err, 400, "No secret engine mount at nosuch/")
		refused(sys.Mount("old", &api.MountInput{Type: "kv"}), 400, "path is already in use at old/")
		refused(sys.Mount("odd", &api.MountInput{Type: "nosuch"}), 400, "plugin not found in the catalog: nosuch")
	})
	step("tuning", func() {
		description := "tuned"
		ok(sys.TuneMount("old", api.MountConfigInput{DefaultLeaseTTL: "30m", MaxLeaseTTL: "1h", Description: &description, AuditNonHMACRequestKeys: []string{"a"}}))
		config := must(sys.MountConfig("old"))
		equal("the default", config.DefaultLeaseTTL, 1800)
		equal("the maximum", config.MaxLeaseTTL, 3600)
		equal("keys", config.AuditNonHMACRequestKeys, []string{"a"})
		equal("the description", must(sys.GetMount("old")).Description, "tuned")
		none := ""
		ok(sys.TuneMountAllowNil("old", api.TuneMountConfigInput{Description: &none}))
		equal("no description", must(sys.GetMount("old")).Description, "")
		must(root.Logical().Write("old/a", fields{"b": "c"}))
		ok(sys.Remount("old", "older"))
		equal("moved", must(root.Logical().Read("older/a")).Data, fields{"b": "c"})
		ok(sys.Unmount("older"))
	})
	step("auth methods", func() {
		ok(sys.EnableAuthWithOptions("people", &api.EnableAuthOptions{Type: "userpass", Config: api.AuthConfigInput{DefaultLeaseTTL: "1h", TokenType: "default-batch"}}))
		method := must(sys.ListAuth())["people/"]
		check("listed", method != nil && method.Type == "userpass" && method.Accessor != "")
		equal("its tokens", method.Config.TokenType, "default-batch")
		equal("one", must(sys.GetAuth("people")).Accessor, method.Accessor)
		ok(sys.TuneMount("auth/people", api.MountConfigInput{DefaultLeaseTTL: "2h", MaxLeaseTTL: "4h"}))
		equal("tuned", must(sys.MountConfig("auth/people")).MaxLeaseTTL, 14400)
		ok(sys.DisableAuth("people"))
		equal("gone", must(sys.ListAuth())["people/"] == nil, true)
	})
}
