package main

import (
	"encoding/base64"

	"github.com/hashicorp/vault/api"
)

// ceremonies take a vault from its birth through seals, new shares and a new root token.
func ceremonies(client *api.Client) {
	sys := client.Sys()
	var shares []string
	step("initialization", func() {
		equal("initialized", must(sys.InitStatus()), false)
		check("health", !must(sys.Health()).Initialized)
		made := must(sys.Init(&api.InitRequest{SecretShares: 3, SecretThreshold: 2}))
		check("shares", len(made.Keys) == 3 && len(made.KeysB64) == 3)
		client.SetToken(made.RootToken)
		shares = made.KeysB64
		_, err := sys.Init(&api.InitRequest{SecretShares: 1, SecretThreshold: 1})
		refused(err, 400, "already initialized")
	})
	step("unsealing", func() {
		check("sealed", must(sys.SealStatus()).Sealed && must(sys.Health()).Sealed)
		equal("progress", must(sys.Unseal(shares[0])).Progress, 1)
		equal("reset", must(sys.ResetUnsealProcess()).Progress, 0)
		must(sys.Unseal(shares[0]))
		check("open", !must(sys.Unseal(shares[2])).Sealed)
		ok(sys.Seal())
		check("sealed again", must(sys.SealStatus()).Sealed)
		must(sys.UnsealWithOptions(&api.UnsealOpts{Key: shares[1]}))
		check("open again", !must(sys.UnsealWithOptions(&api.UnsealOpts{Key: shares[2]})).Sealed)
	})
	step("a new root token", func() {
		started := must(sys.GenerateRootInit("", ""))
		check("started", started.Started && started.Required == 2 && len(started.OTP) == started.OTPLength)
		equal("status", must(sys.GenerateRootStatus()).Nonce, started.Nonce)
		must(sys.GenerateRootUpdate(shares[0], started.Nonce))
		done := must(sys.GenerateRootUpdate(shares[1], started.Nonce))
		check("complete", done.Complete && done.EncodedToken == done.EncodedRootToken)
		token := must(base64.RawStdEncoding.DecodeString(done.EncodedToken))
		for index := range token {
			token[index] ^= started.OTP[index]
		}
		other := must(client.Clone())
		other.SetToken(string(token))
		equal("its policies", must(must(other.Auth().Token().LookupSelf()).TokenPolicies()), []string{"root"})
		must(sys.GenerateRootInit("", ""))
		ok(sys.GenerateRootCancel())
		equal("cancelled", must(sys.GenerateRootStatus()).Started, false)
	})
	step("new shares", func() {
		started := must(sys.RekeyInit(&api.RekeyInitRequest{SecretShares: 2, SecretThreshold: 2, RequireVerification: true}))
		check("started", started.Started && started.N == 2 && started.T == 2 && started.Required == 2 && started.VerificationRequired)
		equal("status", must(sys.RekeyStatus()).Nonce, started.Nonce)
		must(sys.RekeyUpdate(shares[0], started.Nonce))
		done := must(sys.RekeyUpdate(shares[1], started.Nonce))
		check("complete", done.Complete && len(done.KeysB64) == 2 && done.VerificationRequired && done.VerificationNonce != "")
		equal("verification", must(sys.RekeyVerificationStatus()).Nonce, done.VerificationNonce)
		must(sys.RekeyVerificationUpdate(done.KeysB64[0], done.VerificationNonce))
		check("verified", must(sys.RekeyVerificationUpdate(done.KeysB64[1], done.VerificationNonce)).Complete)
		ok(sys.Seal())
		must(sys.Unseal(done.KeysB64[0]))
		check("the new shares open it", !must(sys.Unseal(done.KeysB64[1])).Sealed)
		must(sys.RekeyInit(&api.RekeyInitRequest{SecretShares: 1, SecretThreshold: 1}))
		ok(sys.RekeyCancel())
		equal("cancelled", must(sys.RekeyStatus()).Started, false)
	})
}
