package main

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/vault/api"
)

func tokens(root *api.Client) {
	auth := root.Auth().Token()
	step("tokens: creation and lookup", func() {
		yes := true
		made := must(auth.Create(&api.TokenCreateRequest{
			Policies: []string{"app"}, TTL: "1h", ExplicitMaxTTL: "2h", Metadata: map[string]string{"who": "ann"},
			DisplayName: "mine", NumUses: 5, Renewable: &yes,
		})).Auth
		check("auth", made.ClientToken != "" && made.Accessor != "" && made.LeaseDuration == 3600 && made.Renewable && !made.Orphan)
		equal("policies", made.Policies, []string{"app", "default"})
		equal("of the token", made.TokenPolicies, []string{"app", "default"})
		equal("metadata", made.Metadata, map[string]string{"who": "ann"})
		found := must(auth.Lookup(made.ClientToken))
		equal("id", must(found.TokenID()), made.ClientToken)
		equal("accessor", must(found.TokenAccessor()), made.Accessor)
		equal("uses", must(found.TokenRemainingUses()), 5)
		equal("renewable", must(found.TokenIsRenewable()), true)
		check("its time", must(found.TokenTTL()) > 59*time.Minute)
		equal("its name", found.Data["display_name"], any("token-mine"))
		equal("its maximum", found.Data["explicit_max_ttl"], any(json.Number("7200")))
		equal("by accessor", must(auth.LookupAccessor(made.Accessor)).Data["id"], any(""))
		_, err := auth.Lookup("nosuch")
		refused(err, 403, "bad token")
	})
	step("tokens: renewal and revocation", func() {
		made := must(auth.Create(&api.TokenCreateRequest{Policies: []string{"app"}, TTL: "1h"})).Auth
		equal("renewed", must(auth.Renew(made.ClientToken, 7200)).Auth.LeaseDuration, 7200)
		equal("by accessor", must(auth.RenewAccessor(made.Accessor, 3600)).Auth.ClientToken, "")
		own := must(root.Clone())
		own.SetToken(made.ClientToken)
		equal("itself", must(own.Auth().Token().RenewSelf(1800)).Auth.LeaseDuration, 1800)
		child := must(own.Auth().Token().LookupSelf())
		equal("policies", must(child.TokenPolicies()), []string{"app", "default"})
		ok(own.Auth().Token().RevokeSelf(""))
		_, err := own.Auth().Token().LookupSelf()
		refused(err, 403, "permission denied")
		first := must(auth.CreateOrphan(&api.TokenCreateRequest{})).Auth
		check("an orphan", first.Orphan)
		ok(auth.RevokeTree(first.ClientToken))
		second := must(auth.Create(&api.TokenCreateRequest{NoParent: true, Type: "batch", Policies: []string{"app"}, TTL: "5m"})).Auth
		check("a batch token", second.Accessor == "" && !second.Renewable)
		third := must(auth.Create(&api.TokenCreateRequest{Period: "1h"})).Auth
		ok(auth.RevokeAccessor(third.Accessor))
		ok(auth.RevokeOrphan(must(auth.Create(&api.TokenCreateRequest{})).Auth.ClientToken))
		_, err = auth.LookupAccessor(third.Accessor)
		refused(err, 400, "invalid accessor")
	})
	step("tokens: roles", func() {
		must(root.Logical().Write("auth/token/roles/ci", fields{"allowed_policies": "app", "orphan": true, "token_period": "1h"}))
		made := must(auth.CreateWithRole(&api.TokenCreateRequest{}, "ci")).Auth
		check("by role", made.Orphan && made.LeaseDuration == 3600)
		_, err := auth.CreateWithRole(&api.TokenCreateRequest{Policies: []string{"other"}}, "ci")
		refused(err, 400, "must be subset of the role's allowed policies")
		equal("roles", texts(must(root.Logical().List("auth/token/roles")).Data["keys"]), []string{"ci"})
	})
	step("tokens: the watcher", func() {
		made := must(auth.Create(&api.TokenCreateRequest{Period: "1h"}))
		own := must(root.Clone())
		own.SetToken(made.Auth.ClientToken)
		watcher := must(own.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: made}))
		go watcher.Start()
		defer watcher.Stop()
		select {
		case output := <-watcher.RenewCh():
			equal("renewed", output.Secret.Auth.LeaseDuration, 3600)
		case err := <-watcher.DoneCh():
			panic(err)
		case <-time.After(20 * time.Second):
			panic("the watcher did not renew")
		}
	})
}

// logged is what a login gave; its token can read what the policy allows.
func logged(root *api.Client, secret *api.Secret, name string) *api.SecretAuth {
	auth := secret.Auth
	check("auth", auth != nil && auth.ClientToken != "" && auth.EntityID != "" && auth.Renewable)
	check("the policy", slices.Contains(auth.Policies, "app"))
	own := must(root.Clone())
	own.SetToken(auth.ClientToken)
	equal("the name", must(own.Auth().Token().LookupSelf()).Data["display_name"], any(name))
	must(own.Auth().Token().RenewSelf(60))
	return auth
}

func logins(root *api.Client) {
	logical := root.Logical()
	anonymous := must(root.Clone())
	enable := func(kind string) { ok(root.Sys().EnableAuthWithOptions(kind, &api.EnableAuthOptions{Type: kind})) }
	login := func(path string, data fields) *api.Secret { return must(anonymous.Logical().Write("auth/"+path, data)) }
	step("login: userpass", func() {
		enable("userpass")
		must(logical.Write("auth/userpass/users/ann", fields{"password": "canary-pw", "token_policies": "app", "token_ttl": "1h"}))
		auth := logged(root, login("userpass/login/ann", fields{"password": "canary-pw"}), "userpass-ann")
		equal("metadata", auth.Metadata, map[string]string{"username": "ann"})
		equal("the duration", auth.LeaseDuration, 3600)
		_, err := anonymous.Logical().Write("auth/userpass/login/ann", fields{"password": "x"})
		refused(err, 400, "invalid username or password")
	})
	step("login: approle", func() {
		enable("approle")
		must(logical.Write("auth/approle/role/app", fields{"token_policies": "app", "token_ttl": "1h", "secret_id_num_uses": 3}))
		roleID := must(logical.Read("auth/approle/role/app/role-id")).Data["role_id"]
		made := must(logical.Write("auth/approle/role/app/secret-id", fields{"metadata": `{"from": "ci"}`})).Data
		check("a secret", text(made["secret_id_accessor"]) != "" && made["secret_id_num_uses"] == json.Number("3"))
		auth := logged(root, login("approle/login", fields{"role_id": roleID, "secret_id": made["secret_id"]}), "approle")
		equal("metadata", auth.Metadata, map[string]string{"role_name": "app", "from": "ci"})
		wrapped := must(root.Clone())
		wrapped.SetToken(root.Token())
		wrapped.SetWrappingLookupFunc(func(_, path string) string { return "5m" })
		info := must(wrapped.Logical().Write("auth/approle/role/app/secret-id", nil)).WrapInfo
		equal("where it is from", info.CreationPath, "auth/approle/role/app/secret-id")
		unwrapped := must(logical.Unwrap(info.Token)).Data
		check("the accessor of the secret ID that is wrapped", info.WrappedAccessor == unwrapped["secret_id_accessor"])
		login("approle/login", fields{"role_id": roleID, "secret_id": unwrapped["secret_id"]})
		_, err := anonymous.Logical().Write("auth/approle/login", fields{"role_id": roleID, "secret_id": "x"})
		refused(err, 400, "invalid role or secret ID")
	})
	step("login: kubernetes", func() {
		enable("kubernetes")
		must(logical.Write("auth/kubernetes/config", fields{"kubernetes_host": os.Getenv("KUBERNETES_HOST"), "kubernetes_ca_cert": file("KUBERNETES_CA_FILE")}))
		must(logical.Write("auth/kubernetes/role/app", fields{"bound_service_account_names": "app", "bound_service_account_namespaces": "blue", "token_policies": "app", "token_ttl": "1h"}))
		auth := logged(root, login("kubernetes/login", fields{"role": "app", "jwt": os.Getenv("KUBERNETES_JWT")}), "kubernetes-blue-app")
		equal("the account", auth.Metadata["service_account_name"], "app")
		equal("its namespace", auth.Metadata["service_account_namespace"], "blue")
	})
	step("login: jwt", func() {
		enable("jwt")
		must(logical.Write("auth/jwt/config", fields{"jwt_validation_pubkeys": file("JWT_KEY_FILE"), "bound_issuer": "https://issuer.example"}))
		must(logical.Write("auth/jwt/role/app", fields{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "token_policies": "app", "token_ttl": "1h"}))
		logged(root, login("jwt/login", fields{"role": "app", "jwt": os.Getenv("JWT")}), "jwt-ann")
	})
	step("login: cert", func() {
		enable("cert")
		must(logical.Write("auth/cert/certs/app", fields{"certificate": file("CLIENT_CA_FILE"), "allowed_common_names": "app.example", "token_policies": "app", "token_ttl": "1h", "display_name": "app"}))
		config := api.DefaultConfig()
		ok(config.ConfigureTLS(&api.TLSConfig{CACert: os.Getenv("VAULT_CACERT"), ClientCert: os.Getenv("CLIENT_CERT_FILE"), ClientKey: os.Getenv("CLIENT_KEY_FILE")}))
		holder := must(api.NewClient(config))
		holder.ClearToken()
		auth := must(holder.Logical().Write("auth/cert/login", fields{"name": "app"})).Auth
		check("the policy", slices.Contains(auth.Policies, "app"))
		equal("the certificate", auth.Metadata["common_name"], "app.example")
		holder.SetToken(auth.ClientToken)
		must(holder.Auth().Token().RenewSelf(60))
		_, err := anonymous.Logical().Write("auth/cert/login", nil)
		refused(err, 400, "client certificate must be supplied")
	})
	step("login: ldap", func() {
		enable("ldap")
		must(logical.Write("auth/ldap/config", fields{"url": os.Getenv("LDAP_URL"), "userdn": os.Getenv("LDAP_USERDN"), "userattr": "uid", "groupdn": os.Getenv("LDAP_GROUPDN"), "token_ttl": "1h"}))
		must(logical.Write("auth/ldap/groups/devs", fields{"policies": "app"}))
		auth := logged(root, login("ldap/login/ann", fields{"password": os.Getenv("LDAP_PASSWORD")}), "ldap-ann")
		equal("metadata", auth.Metadata["username"], "ann")
	})
}

func identities(root *api.Client) {
	logical := root.Logical()
	step("identity", func() {
		made := must(logical.Write("identity/entity", fields{"name": "app", "policies": []string{"app"}, "metadata": fields{"team": "x"}})).Data
		id := text(made["id"])
		accessor := must(root.Sys().GetAuth("userpass")).Accessor
		must(logical.Write("identity/entity-alias", fields{"name": "robot", "canonical_id": id, "mount_accessor": accessor}))
		found := must(logical.Read("identity/entity/name/app")).Data
		equal("the entity", found["id"], any(id))
		group := must(logical.Write("identity/group", fields{"name": "all", "member_entity_ids": []string{id}})).Data
		equal("the group", must(logical.Read("identity/group/id/" + text(group["id"]))).Data["name"], any("all"))
		looked := must(logical.Write("identity/lookup/entity", fields{"alias_name": "robot", "alias_mount_accessor": accessor})).Data
		equal("looked up", looked["id"], any(id))
	})
}

func wrapping(root *api.Client) {
	logical := root.Logical()
	step("wrapping", func() {
		client := must(root.Clone())
		client.SetToken(root.Token())
		client.SetWrappingLookupFunc(func(_, _ string) string { return "1m" })
		must(root.KVv2("secret").Put(context.Background(), "wrapped", fields{"a": "b"}))
		info := must(client.Logical().Read("secret/data/wrapped")).WrapInfo
		check("info", info.TTL == 60 && info.Token != "" && info.Accessor != "" && info.CreationPath == "secret/data/wrapped" && !info.CreationTime.IsZero())
		looked := must(logical.Write("sys/wrapping/lookup", fields{"token": info.Token})).Data
		equal("looked up", looked["creation_path"], any("secret/data/wrapped"))
		again := must(logical.Write("sys/wrapping/rewrap", fields{"token": info.Token})).WrapInfo
		_, err := logical.Unwrap(info.Token)
		refused(err, 400, "wrapping token is not valid or does not exist")
		own := must(root.Clone())
		own.SetToken(again.Token)
		equal("unwrapped", must(own.Logical().Unwrap("")).Data["data"], any(fields{"a": "b"}))
		token := must(client.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"app"}}))
		check("an accessor", token.WrapInfo.WrappedAccessor != "")
		equal("a token", must(logical.Unwrap(token.WrapInfo.Token)).Auth.Accessor, token.WrapInfo.WrappedAccessor)
		wrap := must(client.Logical().Write("sys/wrapping/wrap", fields{"foo": "bar"})).WrapInfo
		equal("anything", must(logical.Unwrap(wrap.Token)).Data, fields{"foo": "bar"})
	})
}
