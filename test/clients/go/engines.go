package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"image/png"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

func transit(root *api.Client) {
	logical := root.Logical()
	plain := base64.StdEncoding.EncodeToString([]byte("plain"))
	step("transit: encryption", func() {
		ok(root.Sys().Mount("transit", &api.MountInput{Type: "transit"}))
		must(logical.Write("transit/keys/box", fields{"exportable": true}))
		key := must(logical.Read("transit/keys/box")).Data
		check("the key", key["type"] == "aes256-gcm96" && key["latest_version"] == json.Number("1") && key["supports_encryption"] == true)
		sealed := must(logical.Write("transit/encrypt/box", fields{"plaintext": plain})).Data
		ciphertext := text(sealed["ciphertext"])
		check("the form", strings.HasPrefix(ciphertext, "vault:v1:"))
		equal("opened", must(logical.Write("transit/decrypt/box", fields{"ciphertext": ciphertext})).Data["plaintext"], any(plain))
		must(logical.Write("transit/keys/box/rotate", nil))
		again := must(logical.Write("transit/rewrap/box", fields{"ciphertext": ciphertext})).Data
		check("rewrapped", strings.HasPrefix(text(again["ciphertext"]), "vault:v2:"))
		batch := must(logical.Write("transit/encrypt/box", fields{"batch_input": []fields{{"plaintext": plain}, {"plaintext": plain}}})).Data
		equal("a batch", len(batch["batch_results"].([]any)), 2)
		check("exported", len(must(logical.Read("transit/export/encryption-key/box")).Data["keys"].(map[string]any)) == 2)
		made := must(logical.Write("transit/datakey/plaintext/box", nil)).Data
		check("a data key", made["plaintext"] != nil && made["ciphertext"] != nil)
		_, err := logical.Write("transit/decrypt/box", fields{"ciphertext": "vault:v9:AAAA"})
		refused(err, 400, "")
	})
	step("transit: signatures and digests", func() {
		must(logical.Write("transit/keys/pen", fields{"type": "ed25519"}))
		signature := must(logical.Write("transit/sign/pen", fields{"input": plain})).Data["signature"]
		equal("valid", must(logical.Write("transit/verify/pen", fields{"input": plain, "signature": signature})).Data["valid"], any(true))
		hmac := must(logical.Write("transit/hmac/box", fields{"input": plain})).Data["hmac"]
		equal("valid", must(logical.Write("transit/verify/box", fields{"input": plain, "hmac": hmac})).Data["valid"], any(true))
		check("random", len(text(must(logical.Write("transit/random/16", nil)).Data["random_bytes"])) == 24)
		check("a hash", text(must(logical.Write("transit/hash/sha2-256", fields{"input": plain})).Data["sum"]) != "")
		must(logical.Write("transit/keys/box/config", fields{"deletion_allowed": true}))
		must(logical.Delete("transit/keys/box"))
		equal("keys", texts(must(logical.List("transit/keys")).Data["keys"]), []string{"pen"})
	})
}

func authorities(root *api.Client) {
	logical := root.Logical()
	step("PKI: authorities", func() {
		ok(root.Sys().Mount("pki", &api.MountInput{Type: "pki", Config: api.MountConfigInput{MaxLeaseTTL: "87600h"}}))
		made := must(logical.Write("pki/root/generate/internal", fields{"common_name": "Example Root", "ttl": "87600h", "key_type": "ec"})).Data
		check("a root", text(made["issuer_id"]) != "" && text(made["serial_number"]) != "")
		must(logical.Write("pki/config/urls", fields{"issuing_certificates": root.Address() + "/v1/pki/ca"}))
		ok(root.Sys().Mount("issuing", &api.MountInput{Type: "pki", Config: api.MountConfigInput{MaxLeaseTTL: "8760h"}}))
		csr := must(logical.Write("issuing/intermediate/generate/internal", fields{"common_name": "Example Issuing", "key_type": "ec"})).Data["csr"]
		signed := must(logical.Write("pki/root/sign-intermediate", fields{"csr": csr, "ttl": "4380h", "format": "pem_bundle"})).Data
		set := must(logical.Write("issuing/intermediate/set-signed", fields{"certificate": signed["certificate"]})).Data
		check("imported", len(set["imported_issuers"].([]any)) > 0)
		check("raw", strings.Contains(string(raw(root, "pki/ca/pem")), "BEGIN CERTIFICATE"))
	})
	step("PKI: certificates", func() {
		must(logical.Write("issuing/roles/web", fields{"allowed_domains": "example.com", "allow_subdomains": true, "key_type": "ec", "max_ttl": "72h", "generate_lease": true}))
		issued := must(logical.Write("issuing/issue/web", fields{"common_name": "a.example.com", "ttl": "1h"}))
		check("a lease", issued.LeaseID != "" && !issued.Renewable && issued.LeaseDuration > 3500)
		pair := must(tls.X509KeyPair([]byte(text(issued.Data["certificate"])), []byte(text(issued.Data["private_key"]))))
		leaf := must(x509.ParseCertificate(pair.Certificate[0]))
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		check("a root", roots.AppendCertsFromPEM(raw(root, "pki/ca/pem")))
		check("an intermediate", between.AppendCertsFromPEM([]byte(text(issued.Data["issuing_ca"]))))
		must(leaf.Verify(x509.VerifyOptions{DNSName: "a.example.com", Roots: roots, Intermediates: between}))
		serial := text(issued.Data["serial_number"])
		check("kept", text(must(logical.Read("issuing/cert/" + serial)).Data["certificate"]) != "")
		ok(root.Sys().RevokeWithOptions(&api.RevokeOptions{LeaseID: issued.LeaseID, Sync: true}))
		block, _ := pem.Decode(raw(root, "issuing/crl/pem"))
		list := must(x509.ParseRevocationList(block.Bytes))
		equal("revoked", list.RevokedCertificateEntries[0].SerialNumber.Cmp(leaf.SerialNumber), 0)
		_, err := logical.Write("issuing/issue/web", fields{"common_name": "a.other.com"})
		refused(err, 400, "not allowed by this role")
		revoked := must(logical.Write("issuing/revoke", fields{"serial_number": serial})).Data
		equal("the state", revoked["state"], any("revoked"))
	})
}

func raw(client *api.Client, path string) []byte {
	answer := must(client.Logical().ReadRaw(path))
	defer answer.Body.Close()
	body := make([]byte, 0, 4096)
	buffer := make([]byte, 4096)
	for {
		count, err := answer.Body.Read(buffer)
		body = append(body, buffer[:count]...)
		if err != nil {
			return body
		}
	}
}

func sshKeys(root *api.Client) {
	logical := root.Logical()
	step("SSH: certificates", func() {
		ok(root.Sys().Mount("ssh", &api.MountInput{Type: "ssh"}))
		check("a key", strings.HasPrefix(text(must(logical.Write("ssh/config/ca", fields{"generate_signing_key": true, "key_type": "ed25519"})).Data["public_key"]), "ssh-ed25519 "))
		must(logical.Write("ssh/roles/login", fields{"key_type": "ca", "allow_user_certificates": true, "allowed_users": "*", "default_user": "ubuntu", "ttl": "30m", "default_extensions": fields{"permit-pty": ""}}))
		signed := must(root.SSH().SignKey("login", fields{"public_key": file("SSH_PUBLIC_KEY_FILE")})).Data
		check("signed", strings.HasPrefix(text(signed["signed_key"]), "ssh-ed25519-cert-v01@openssh.com "))
	})
	step("SSH: one-time passwords", func() {
		must(logical.Write("ssh/roles/otp", fields{"key_type": "otp", "default_user": "ubuntu", "cidr_list": "10.0.0.0/8"}))
		made := must(root.SSH().Credential("otp", fields{"ip": "10.1.2.3"}))
		equal("the user", made.Data["username"], any("ubuntu"))
		verified := must(logical.Write("ssh/verify", fields{"otp": made.Data["key"]})).Data
		equal("the address", verified["ip"], any("10.1.2.3"))
		_, err := logical.Write("ssh/verify", fields{"otp": made.Data["key"]})
		refused(err, 400, "OTP not found")
	})
}

func oneTimePasswords(root *api.Client) {
	logical := root.Logical()
	step("TOTP", func() {
		ok(root.Sys().Mount("totp", &api.MountInput{Type: "totp"}))
		made := must(logical.Write("totp/keys/ann", fields{"generate": true, "issuer": "Vault", "account_name": "ann@example.com"})).Data
		address := must(url.Parse(text(made["url"])))
		equal("the scheme", address.Scheme, "otpauth")
		image := must(png.DecodeConfig(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text(made["barcode"])))))
		check("the size of the barcode", image.Width == 200 && image.Height == 200)
		code := text(must(logical.Read("totp/code/ann")).Data["code"])
		equal("valid", must(logical.Write("totp/code/ann", fields{"code": code})).Data["valid"], any(true))
		_, err := logical.Write("totp/code/ann", fields{"code": code})
		refused(err, 400, "code already used")
	})
}

func databases(root *api.Client) {
	address := os.Getenv("DATABASE_URL")
	if address == "" {
		return
	}
	logical := root.Logical()
	step("database", func() {
		ok(root.Sys().Mount("database", &api.MountInput{Type: "database"}))
		must(logical.Write("database/config/main", fields{
			"plugin_name": "postgresql-database-plugin", "allowed_roles": []string{"app"}, "connection_url": address,
			"username": os.Getenv("DATABASE_USER"), "password": os.Getenv("DATABASE_PASSWORD"),
		}))
		config := must(logical.Read("database/config/main")).Data
		equal("the plugin", config["plugin_name"], any("postgresql-database-plugin"))
		must(logical.Write("database/roles/app", fields{
			"db_name": "main", "default_ttl": "1h", "max_ttl": "24h",
			"creation_statements": `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';`,
		}))
		made := must(logical.Read("database/creds/app"))
		check("a lease", made.LeaseID != "" && made.Renewable && made.LeaseDuration == 3600)
		check("credentials", text(made.Data["username"]) != "" && text(made.Data["password"]) != "")
		found := must(root.Sys().Lookup(made.LeaseID)).Data
		equal("the lease", found["id"], any(made.LeaseID))
		renewed := must(root.Sys().Renew(made.LeaseID, 7200))
		equal("renewed", renewed.LeaseDuration, 7200)
		watcher := must(root.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: made, Increment: 3600}))
		go watcher.Start()
		select {
		case output := <-watcher.RenewCh():
			equal("watched", output.Secret.LeaseID, made.LeaseID)
		case err := <-watcher.DoneCh():
			panic(err)
		case <-time.After(20 * time.Second):
			panic("the watcher did not renew")
		}
		watcher.Stop()
		ok(root.Sys().RevokePrefix("database/creds/app"))
		ok(root.Sys().RevokeForce("database/creds/app"))
	})
}
