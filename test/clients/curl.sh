#!/bin/bash
# A user with curl: drives every engine and auth method, one line a step, and ends at the first surprise.
set -euo pipefail

TOKEN=$VAULT_TOKEN
STEP=

fail() {
  echo "FAILED $STEP: $*"
  exit 1
}
step() {
  [ -z "$STEP" ] || echo "ok $STEP"
  STEP=$1
}

# vault METHOD PATH [JSON [CURL OPTIONS]]: the answer goes to $BODY, its status to $STATUS.
vault() {
  local method=$1 path=$2 json=${3:-} answer
  shift $(($# > 3 ? 3 : $#))
  [ -z "$json" ] || set -- --data "$json" "$@"
  answer=$(curl --silent --show-error --cacert "$VAULT_CACERT" --header "X-Vault-Token: $TOKEN" \
    --request "$method" --write-out '\n%{http_code}' "$@" "${ADDRESS:-$VAULT_ADDR}/v1/$path")
  STATUS=${answer##*$'\n'}
  BODY=${answer%$'\n'*}
  BODY=${BODY%$'\n'}
}
# ok ...: as vault, and the status must be 2xx.
ok() {
  vault "$@"
  case $STATUS in 2*) ;; *) fail "$1 $2 answered $STATUS: $BODY" ;; esac
}
# refused STATUS TEXT ...: as vault, and the answer must be that.
refused() {
  local status=$1 text=$2
  shift 2
  vault "$@"
  [ "$STATUS" = "$status" ] || fail "$1 $2 answered $STATUS: $BODY"
  case $BODY in *"$text"*) ;; *) fail "$1 $2 did not say '$text': $BODY" ;; esac
}
# field EXPRESSION: a member of the last answer.
field() {
  printf %s "$BODY" | "$NODE" -p "String(JSON.parse(require('fs').readFileSync(0, 'utf8'))$1)"
}
is() {
  local found
  found=$(field "$1")
  [ "$found" = "$2" ] || fail "$1 is '$found', not '$2'"
}
has() {
  case $(field "$1") in *"$2"*) ;; *) fail "$1 does not hold '$2': $BODY" ;; esac
}
json() {
  "$NODE" -p 'JSON.stringify(Object.fromEntries(process.argv.slice(1).map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)])))' -- "$@"
}

step 'health and status'
TOKEN= ok GET sys/health
is .initialized true
TOKEN= ok GET sys/seal-status
is .sealed false
[ "$(curl --silent --cacert "$VAULT_CACERT" --head --output /dev/null --write-out '%{http_code}' "$VAULT_ADDR/v1/sys/health")" = 200 ] || fail 'HEAD'
TOKEN= refused 403 'permission denied' GET secret/data/app
TOKEN=nosuch refused 403 'permission denied' GET sys/mounts
refused 404 'no handler for route' GET no/such/mount
refused 405 'unsupported operation' PATCH sys/mounts/x '{}' --header 'Content-Type: application/merge-patch+json'
refused 400 'JSON input' POST sys/mounts/x '{'

step 'policies'
ok PUT sys/policies/acl/app '{"policy": "path \"secret/data/app\" { capabilities = [\"read\"] }"}'
ok GET sys/policies/acl/app
has .data.policy capabilities
ok LIST sys/policies/acl
has .data.keys app
ok GET 'sys/policies/acl?list=true'
has .data.keys app

step 'mounts'
ok POST sys/mounts/old '{"type": "kv", "options": {"version": "1"}}'
[ "$STATUS" = 204 ] || fail "a mount answered $STATUS"
ok POST sys/mounts/old/tune '{"default_lease_ttl": "1h"}'
ok GET sys/mounts/old/tune
is .data.default_lease_ttl 3600
ok GET sys/mounts
is '.data["old/"].type' kv
ok DELETE sys/mounts/old

step 'KV v1'
ok POST sys/mounts/kv1 '{"type": "kv"}'
ok POST kv1/a '{"user": "ann"}'
ok GET kv1/a
is .data.user ann
ok LIST kv1
is .data.keys a
ok DELETE kv1/a
vault GET kv1/a
[ "$STATUS$BODY" = '404{"errors":[]}' ] || fail "nothing is $STATUS $BODY"

step 'KV v2'
ok POST secret/data/app '{"data": {"user": "ann"}, "options": {"cas": 0}}'
is .data.version 1
ok PATCH secret/data/app '{"data": {"more": "x"}}' --header 'Content-Type: application/merge-patch+json'
ok GET secret/data/app
is .data.data.more x
ok GET 'secret/data/app?version=1'
is .data.data.more undefined
ok DELETE secret/data/app
vault GET secret/data/app
[ "$STATUS" = 404 ] || fail 'a deleted secret is there'
is .data.data null
ok POST secret/undelete/app '{"versions": [2]}'
ok GET secret/metadata/app
is .data.current_version 2
ok PUT secret/destroy/app '{"versions": [1]}'
ok DELETE secret/metadata/app

step 'transit'
ok POST sys/mounts/transit '{"type": "transit"}'
ok POST transit/keys/box
PLAIN=$(printf plain | base64)
ok POST transit/encrypt/box "{\"plaintext\": \"$PLAIN\"}"
ok POST transit/decrypt/box "$(json "ciphertext=$(field .data.ciphertext)")"
is .data.plaintext "$PLAIN"

step 'PKI'
ok POST sys/mounts/pki '{"type": "pki", "config": {"max_lease_ttl": "87600h"}}'
ok POST pki/root/generate/internal '{"common_name": "Example Root", "ttl": "8760h", "key_type": "ec"}'
ok POST pki/roles/web '{"allowed_domains": "example.com", "allow_subdomains": true, "key_type": "ec"}'
ok POST pki/issue/web '{"common_name": "a.example.com", "ttl": "1h"}'
has .data.certificate 'BEGIN CERTIFICATE'
SERIAL=$(field .data.serial_number)
ok POST pki/revoke "$(json "serial_number=$SERIAL")"
is .data.state revoked
for format in ca/pem crl/pem ca_chain; do
  curl --silent --fail --cacert "$VAULT_CACERT" "$VAULT_ADDR/v1/pki/$format" | grep -q -- '-----BEGIN' || fail "pki/$format"
done

step 'SSH'
ok POST sys/mounts/ssh '{"type": "ssh"}'
ok POST ssh/config/ca '{"generate_signing_key": true, "key_type": "ed25519"}'
ok POST ssh/roles/login '{"key_type": "ca", "allow_user_certificates": true, "allowed_users": "*", "default_user": "ubuntu"}'
ok POST ssh/sign/login "$(json "public_key=$(cat "$SSH_PUBLIC_KEY_FILE")")"
has .data.signed_key ssh-ed25519-cert-v01@openssh.com
curl --silent --fail --cacert "$VAULT_CACERT" "$VAULT_ADDR/v1/ssh/public_key" | grep -q ^ssh-ed25519 || fail 'the public key'

step 'TOTP'
ok POST sys/mounts/totp '{"type": "totp"}'
ok POST totp/keys/ann '{"generate": true, "issuer": "Vault", "account_name": "ann"}'
ok GET totp/code/ann
ok POST totp/code/ann "$(json "code=$(field .data.code)")"
is .data.valid true

step 'database'
ok POST sys/mounts/database '{"type": "database"}'
ok POST database/config/main "$(json plugin_name=postgresql-database-plugin allowed_roles=app "connection_url=$DATABASE_URL" "username=$DATABASE_USER" "password=$DATABASE_PASSWORD")"
ok POST database/roles/app "$(json db_name=main default_ttl=1h "creation_statements=CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}'")"
ok GET database/creds/app
is .lease_duration 3600
LEASE=$(field .lease_id)
ok PUT sys/leases/renew "{\"lease_id\": \"$LEASE\", \"increment\": 600}"
is .lease_duration 600
ok PUT sys/leases/lookup "{\"lease_id\": \"$LEASE\"}"
is .data.id "$LEASE"
ok PUT sys/leases/revoke "{\"lease_id\": \"$LEASE\"}"

step 'tokens'
ok POST auth/token/create '{"policies": ["app"], "ttl": "1h", "num_uses": 3}'
is .auth.lease_duration 3600
CHILD=$(field .auth.client_token)
TOKEN=$CHILD ok GET auth/token/lookup-self
is .data.num_uses 2
ok POST auth/token/renew "{\"token\": \"$CHILD\"}"
ok POST auth/token/revoke "{\"token\": \"$CHILD\"}"
refused 403 'bad token' POST auth/token/lookup "{\"token\": \"$CHILD\"}"

# logged: the token of the last answer may read what its policy allows.
logged() {
  has .auth.policies app
  local token
  token=$(field .auth.client_token)
  curl --silent --fail --cacert "$VAULT_CACERT" --header "Authorization: Bearer $token" "$VAULT_ADDR/v1/auth/token/lookup-self" >/dev/null || fail 'the token'
}
for method in userpass approle kubernetes jwt cert ldap; do ok POST "sys/auth/$method" "{\"type\": \"$method\"}"; done

step 'logins with passwords and roles'
ok POST auth/userpass/users/ann '{"password": "canary-pw", "token_policies": "app"}'
TOKEN= ok POST auth/userpass/login/ann '{"password": "canary-pw"}'
logged
TOKEN= refused 400 'invalid username or password' POST auth/userpass/login/ann '{"password": "x"}'
ok POST auth/approle/role/app '{"token_policies": "app"}'
ok GET auth/approle/role/app/role-id
ROLE=$(field .data.role_id)
ok POST auth/approle/role/app/secret-id '' --header 'X-Vault-Wrap-TTL: 1m'
WRAPPED=$(field .wrap_info.token)
TOKEN=$WRAPPED ok POST sys/wrapping/unwrap
TOKEN= ok POST auth/approle/login "$(json "role_id=$ROLE" "secret_id=$(field .data.secret_id)")"
logged

step 'logins with tokens of others'
ok POST auth/kubernetes/config "$(json "kubernetes_host=$KUBERNETES_HOST" "kubernetes_ca_cert=$(cat "$KUBERNETES_CA_FILE")")"
ok POST auth/kubernetes/role/app '{"bound_service_account_names": "app", "bound_service_account_namespaces": "blue", "token_policies": "app"}'
TOKEN= ok POST auth/kubernetes/login "$(json role=app "jwt=$KUBERNETES_JWT")"
logged
ok POST auth/jwt/config "$(json "jwt_validation_pubkeys=$(cat "$JWT_KEY_FILE")")"
ok POST auth/jwt/role/app '{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "token_policies": "app"}'
TOKEN= ok POST auth/jwt/login "$(json role=app "jwt=$JWT")"
logged

step 'logins with certificates and a directory'
ok POST auth/cert/certs/app "$(json "certificate=$(cat "$CLIENT_CA_FILE")" token_policies=app)"
TOKEN= ok POST auth/cert/login '{"name": "app"}' --cert "$CLIENT_CERT_FILE" --key "$CLIENT_KEY_FILE"
has .auth.policies app
ok POST auth/ldap/config "$(json "url=$LDAP_URL" "userdn=$LDAP_USERDN" userattr=uid "groupdn=$LDAP_GROUPDN")"
ok POST auth/ldap/groups/devs '{"policies": "app"}'
TOKEN= ok POST "auth/ldap/login/$LDAP_USER" "$(json "password=$LDAP_PASSWORD")"
logged

step 'identity'
ok POST identity/entity '{"name": "app", "policies": ["app"]}'
ID=$(field .data.id)
ok GET "identity/entity/id/$ID"
is .data.name app
ok LIST identity/entity/name
has .data.keys app

step 'audit'
ok PUT sys/audit/file "{\"type\": \"file\", \"options\": {\"file_path\": \"$AUDIT_FILE\"}}"
ok GET sys/audit
is '.data["file/"].type' file
ok POST sys/audit-hash/file '{"input": "canary-pw"}'
has .data.hash hmac-sha256:
ok POST auth/userpass/login/ann '{"password": "canary-pw"}'
grep -q '"type":"request"' "$AUDIT_FILE" || fail 'no request in the audit log'
if grep -q canary-pw "$AUDIT_FILE"; then fail 'a password in the audit log'; fi
ok DELETE sys/audit/file

step 'ceremonies'
ADDRESS=$FRESH_ADDR
TOKEN=
refused 503 sealed GET sys/mounts
ok PUT sys/init '{"secret_shares": 1, "secret_threshold": 1}'
KEY=$(field '.keys_base64[0]')
TOKEN=$(field .root_token)
ok PUT sys/unseal "{\"key\": \"$KEY\"}"
is .sealed false
ok PUT sys/generate-root/attempt
NONCE=$(field .nonce)
ok PUT sys/generate-root/update "{\"key\": \"$KEY\", \"nonce\": \"$NONCE\"}"
is .complete true
ok PUT sys/seal
[ "$STATUS" = 204 ] || fail "sealing answered $STATUS"
step end
echo 'done'
