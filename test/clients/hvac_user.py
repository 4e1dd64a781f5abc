"""A user of hvac: drives every engine and auth method, one line a step, and fails at the first surprise."""

import base64
import os
import sys
from contextlib import contextmanager

import hvac
from hvac import exceptions

E = os.environ


def client(token=None, cert=None):
    return hvac.Client(url=E["VAULT_ADDR"], token=token, verify=E["VAULT_CACERT"], cert=cert)


def read(variable):
    with open(E[variable], encoding="utf8") as file:
        return file.read()


@contextmanager
def refused(kind, text=""):
    try:
        yield
    except kind as error:
        assert text in str(error), f"{error} lacks {text!r}"
    else:
        raise AssertionError(f"no {kind.__name__}")


root = client(E["VAULT_TOKEN"])
PLAIN = base64.b64encode(b"plain").decode()


def system():
    assert root.is_authenticated() and root.sys.is_initialized() and not root.sys.is_sealed()
    assert root.sys.read_health_status(method="GET")["initialized"]
    assert root.seal_status["t"] == 1 and root.ha_status["ha_enabled"] is False
    rules = 'path "secret/data/app" { capabilities = ["read", "list"] }'
    root.sys.create_or_update_policy(name="app", policy=rules)
    assert root.sys.read_policy(name="app")["data"]["rules"] == rules
    root.sys.create_or_update_acl_policy(name="acl", policy=rules)
    assert root.sys.read_acl_policy(name="acl")["data"]["policy"] == rules
    assert "acl" in root.sys.list_acl_policies()["data"]["keys"] and "app" in root.sys.list_policies()["policies"]
    root.sys.delete_policy(name="acl")
    assert root.sys.get_capabilities(["secret/data/app"])["data"]["secret/data/app"] == ["root"]
    before = root.key_status["term"]
    root.sys.rotate_encryption_key()
    assert root.key_status["term"] == before + 1
    root.sys.enable_audit_device("file", options={"file_path": E["AUDIT_FILE"]})
    assert "file/" in root.sys.list_enabled_audit_devices()["data"]
    assert root.sys.calculate_hash("file", "canary")["data"]["hash"].startswith("hmac-sha256:")
    root.sys.disable_audit_device("file")
    with refused(exceptions.Forbidden, "permission denied"):
        client("nosuch").sys.list_policies()
    with refused(exceptions.VaultDown):
        hvac.Client(url=E["FRESH_ADDR"]).sys.list_policies()


def mounts():
    root.sys.enable_secrets_engine("kv", path="old", options={"version": "1"}, description="of old")
    mounted = root.sys.list_mounted_secrets_engines()["data"]["old/"]
    assert mounted["type"] == "kv" and mounted["description"] == "of old" and mounted["accessor"]
    root.sys.tune_mount_configuration("old", default_lease_ttl="1h", max_lease_ttl="2h")
    assert root.sys.read_mount_configuration("old")["data"]["max_lease_ttl"] == 7200
    root.sys.move_backend("old", "older")
    root.sys.disable_secrets_engine("older")
    root.sys.enable_auth_method("userpass", path="people")
    assert root.sys.list_auth_methods()["data"]["people/"]["type"] == "userpass"
    root.sys.tune_auth_method("people", default_lease_ttl="1h", description="who")
    assert root.sys.read_auth_method_tuning("people")["data"]["default_lease_ttl"] == 3600
    root.sys.disable_auth_method("people")


def key_value():
    root.sys.enable_secrets_engine("kv", path="kv1")
    v1 = root.secrets.kv.v1
    v1.create_or_update_secret("a/b", secret={"user": "ann"}, mount_point="kv1")
    assert v1.read_secret("a/b", mount_point="kv1")["data"] == {"user": "ann"}
    assert v1.list_secrets("", mount_point="kv1")["data"]["keys"] == ["a/"]
    v1.delete_secret("a/b", mount_point="kv1")
    v2 = root.secrets.kv.v2
    assert v2.create_or_update_secret("app", secret={"user": "ann"}, cas=0)["data"]["version"] == 1
    with refused(exceptions.InvalidRequest, "did not match the current version"):
        v2.create_or_update_secret("app", secret={}, cas=0)
    v2.patch("app", secret={"more": "x"})
    assert v2.read_secret("app", raise_on_deleted_version=True)["data"]["data"] == {"user": "ann", "more": "x"}
    assert v2.read_secret_version("app", version=1, raise_on_deleted_version=True)["data"]["data"] == {"user": "ann"}
    v2.delete_latest_version_of_secret("app")
    with refused(exceptions.InvalidPath):
        v2.read_secret("app", raise_on_deleted_version=True)
    assert v2.read_secret("app", raise_on_deleted_version=False)["data"]["metadata"]["deletion_time"]
    v2.undelete_secret_versions("app", versions=[2])
    v2.delete_secret_versions("app", versions=[1])
    v2.destroy_secret_versions("app", versions=[1])
    v2.update_metadata("app", max_versions=5, cas_required=True, custom_metadata={"owner": "me"})
    metadata = v2.read_secret_metadata("app")["data"]
    assert metadata["custom_metadata"] == {"owner": "me"} and metadata["versions"]["1"]["destroyed"]
    v2.configure(max_versions=20, mount_point="secret")
    assert v2.read_configuration(mount_point="secret")["data"]["max_versions"] == 20
    assert v2.list_secrets("")["data"]["keys"] == ["app"]
    v2.delete_metadata_and_all_versions("app")
    with refused(exceptions.InvalidPath):
        v2.read_secret_metadata("app")


def transit():
    root.sys.enable_secrets_engine("transit")
    t = root.secrets.transit
    t.create_key("box", exportable=True)
    ciphertext = t.encrypt_data("box", plaintext=PLAIN)["data"]["ciphertext"]
    assert t.decrypt_data("box", ciphertext=ciphertext)["data"]["plaintext"] == PLAIN
    t.rotate_key("box")
    assert t.rewrap_data("box", ciphertext=ciphertext)["data"]["ciphertext"].startswith("vault:v2:")
    assert t.read_key("box")["data"]["latest_version"] == 2 and t.list_keys()["data"]["keys"] == ["box"]
    assert len(t.export_key("box", key_type="encryption-key")["data"]["keys"]) == 2
    assert t.generate_data_key("box", key_type="plaintext")["data"]["plaintext"]
    assert t.generate_random_bytes(n_bytes=16)["data"]["random_bytes"]
    assert t.hash_data(PLAIN, algorithm="sha2-256")["data"]["sum"]
    hmac = t.generate_hmac("box", hash_input=PLAIN, algorithm="sha2-256")["data"]["hmac"]
    assert t.verify_signed_data("box", hash_input=PLAIN, hmac=hmac)["data"]["valid"]
    t.create_key("pen", key_type="ed25519")
    signature = t.sign_data("pen", hash_input=PLAIN)["data"]["signature"]
    assert t.verify_signed_data("pen", hash_input=PLAIN, signature=signature)["data"]["valid"]
    t.update_key_configuration("box", deletion_allowed=True, min_decryption_version=2, allow_plaintext_backup=True)
    assert t.backup_key("box")["data"]["backup"]
    t.delete_key("box")


def authorities():
    root.sys.enable_secrets_engine("pki", config={"max_lease_ttl": "87600h"})
    pki = root.secrets.pki
    made = pki.generate_root("internal", "Example Root", extra_params={"ttl": "8760h", "key_type": "ec"})["data"]
    assert "BEGIN CERTIFICATE" in made["certificate"]
    pki.set_urls({"issuing_certificates": [E["VAULT_ADDR"] + "/v1/pki/ca"]})
    assert pki.read_urls()["data"]["issuing_certificates"]
    pki.create_or_update_role("web", {"allowed_domains": "example.com", "allow_subdomains": True, "key_type": "ec", "generate_lease": True})
    assert pki.read_role("web")["data"]["allow_subdomains"] and pki.list_roles()["data"]["keys"] == ["web"]
    issued = pki.generate_certificate("web", "a.example.com", extra_params={"ttl": "1h"})
    assert issued["lease_id"] and issued["data"]["private_key"]
    serial = issued["data"]["serial_number"]
    assert serial in pki.list_certificates()["data"]["keys"]
    assert pki.read_certificate(serial)["data"]["revocation_time"] == 0
    assert pki.revoke_certificate(serial)["data"]["revocation_time"] > 0
    assert "BEGIN X509 CRL" in pki.read_crl() and "BEGIN CERTIFICATE" in pki.read_ca_certificate()
    assert pki.read_issuer("default")["data"]["issuer_id"] in pki.list_issuers()["data"]["keys"]
    pki.rotate_crl()
    assert pki.tidy({"tidy_cert_store": True}).status_code == 202
    assert root.sys.read_lease(issued["lease_id"])["data"]["id"] == issued["lease_id"]
    root.sys.revoke_prefix("pki/issue")
    with refused(exceptions.InvalidRequest, "not allowed by this role"):
        pki.generate_certificate("web", "a.other.com")


def ssh():
    root.sys.enable_secrets_engine("ssh")
    engine = root.secrets.ssh
    assert engine.submit_ca_information(generate_signing_key=True, key_type="ed25519")["data"]["public_key"]
    engine.create_role("login", key_type="ca", allow_user_certificates=True, allowed_users="*", default_user="ubuntu", ttl="30m")
    signed = engine.sign_ssh_key("login", public_key=read("SSH_PUBLIC_KEY_FILE"))["data"]["signed_key"]
    assert signed.startswith("ssh-ed25519-cert-v01@openssh.com ")
    engine.create_role("otp", key_type="otp", default_user="ubuntu", cidr_list="10.0.0.0/8")
    made = engine.generate_ssh_credentials("otp", ip="10.1.2.3")["data"]
    assert engine.verify_ssh_otp(made["key"])["data"]["username"] == "ubuntu"
    assert engine.list_roles()["data"]["keys"] == ["login", "otp"]
    assert engine.read_public_key()["data"]["public_key"].startswith("ssh-ed25519 ")


def totp_and_identity():
    root.sys.enable_secrets_engine("totp")
    root.write_data("totp/keys/ann", data={"generate": True, "issuer": "Vault", "account_name": "ann"})
    code = root.read("totp/code/ann")["data"]["code"]
    assert root.write_data("totp/code/ann", data={"code": code})["data"]["valid"]
    identity = root.secrets.identity
    entity = identity.create_or_update_entity("app", policies=["app"], metadata={"team": "x"})["data"]["id"]
    accessor = root.sys.list_auth_methods()["data"]["token/"]["accessor"]
    alias = identity.create_or_update_entity_alias("robot", canonical_id=entity, mount_accessor=accessor)["data"]["id"]
    assert identity.read_entity_by_name("app")["data"]["id"] == entity
    assert identity.lookup_entity(alias_id=alias)["data"]["id"] == entity
    group = identity.create_or_update_group("all", member_entity_ids=[entity])["data"]["id"]
    assert identity.read_group(group)["data"]["name"] == "all"
    identity.create_named_key("signing", allowed_client_ids=["*"])
    identity.create_or_update_role("who", key="signing")
    assert identity.read_well_known_configurations()["jwks_uri"]


def database():
    root.sys.enable_secrets_engine("database")
    engine = root.secrets.database
    engine.configure(
        "main", "postgresql-database-plugin", allowed_roles=["app"], connection_url=E["DATABASE_URL"],
        username=E["DATABASE_USER"], password=E["DATABASE_PASSWORD"],
    )
    assert engine.read_connection("main")["data"]["plugin_name"] == "postgresql-database-plugin"
    engine.create_role(
        "app", "main", ["CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';"],
        default_ttl="1h", max_ttl="24h",
    )
    made = engine.generate_credentials("app")
    assert made["renewable"] and made["lease_duration"] == 3600 and made["data"]["username"]
    assert root.sys.renew_lease(made["lease_id"], increment=7200)["lease_duration"] == 7200
    root.sys.revoke_lease(made["lease_id"])
    engine.delete_connection("main")


def tokens():
    token = root.auth.token
    made = token.create(policies=["app"], ttl="1h", meta={"who": "ann"}, num_uses=5, display_name="mine")["auth"]
    assert made["policies"] == ["app", "default"] and made["lease_duration"] == 3600
    found = token.lookup(made["client_token"])["data"]
    assert found["num_uses"] == 5 and found["display_name"] == "token-mine" and found["meta"] == {"who": "ann"}
    assert token.lookup_accessor(made["accessor"])["data"]["accessor"] == made["accessor"]
    assert token.renew(made["client_token"], increment="2h")["auth"]["lease_duration"] == 7200
    assert token.renew_accessor(made["accessor"])["auth"]["accessor"] == made["accessor"]
    own = client(made["client_token"])
    assert own.lookup_token()["data"]["policies"] == ["app", "default"]
    own.auth.token.renew_self()
    assert made["accessor"] in token.list_accessors()["data"]["keys"]
    token.revoke_accessor(made["accessor"])
    with refused(exceptions.Forbidden, "bad token"):
        token.lookup(made["client_token"])
    assert token.create_orphan()["auth"]["orphan"]
    token.create_or_update_role("ci", allowed_policies=["app"], orphan=True, renewable=True, path_suffix="ci")
    assert token.create(role_name="ci")["auth"]["orphan"] and token.list_roles()["data"]["keys"] == ["ci"]


def has_app(auth):
    own = client(auth["client_token"])
    assert "app" in own.lookup_token()["data"]["policies"]
    own.auth.token.renew_self(increment=60)
    return auth


def logins():
    anonymous = client()
    for kind in ["userpass", "approle", "kubernetes", "jwt", "cert", "ldap"]:
        root.sys.enable_auth_method(kind)
    root.auth.userpass.create_or_update_user("ann", password="canary-pw", policies=["app"])
    assert has_app(anonymous.auth.userpass.login("ann", "canary-pw")["auth"])["metadata"] == {"username": "ann"}
    with refused(exceptions.InvalidRequest, "invalid username or password"):
        anonymous.auth.userpass.login("ann", "x")

    approle = root.auth.approle
    approle.create_or_update_approle("app", token_policies=["app"], token_ttl="1h")
    role_id = approle.read_role_id("app")["data"]["role_id"]
    made = approle.generate_secret_id("app", metadata={"from": "ci"})["data"]
    login = anonymous.auth.approle.login(role_id=role_id, secret_id=made["secret_id"])
    assert has_app(login["auth"])["metadata"]["from"] == "ci"
    assert approle.read_secret_id_accessor("app", made["secret_id_accessor"])["data"]["metadata"] == {"from": "ci"}
    wrapped = approle.generate_secret_id("app", wrap_ttl="5m")["wrap_info"]
    assert client().sys.unwrap(token=wrapped["token"])["data"]["secret_id"]

    root.auth.kubernetes.configure(kubernetes_host=E["KUBERNETES_HOST"], kubernetes_ca_cert=read("KUBERNETES_CA_FILE"))
    root.auth.kubernetes.create_role(
        "app", bound_service_account_names=["app"], bound_service_account_namespaces=["blue"], policies=["app"],
    )
    has_app(anonymous.auth.kubernetes.login(role="app", jwt=E["KUBERNETES_JWT"])["auth"])

    root.auth.jwt.configure(jwt_validation_pubkeys=[read("JWT_KEY_FILE")], bound_issuer="https://issuer.example")
    root.auth.jwt.create_role(
        "app", role_type="jwt", user_claim="sub", bound_audiences=["vault"], allowed_redirect_uris=[], token_policies=["app"],
    )
    has_app(anonymous.auth.jwt.jwt_login(role="app", jwt=E["JWT"])["auth"])

    root.auth.cert.create_ca_certificate_role(
        "app", certificate=read("CLIENT_CA_FILE"), allowed_common_names="app.example", token_policies=["app"],
    )
    holder = client(cert=(E["CLIENT_CERT_FILE"], E["CLIENT_KEY_FILE"]))
    auth = holder.auth.cert.login(name="app", cert_pem=E["CLIENT_CERT_FILE"], key_pem=E["CLIENT_KEY_FILE"])["auth"]
    assert auth["metadata"]["common_name"] == "app.example" and "app" in auth["policies"]

    root.auth.ldap.configure(url=E["LDAP_URL"], userdn=E["LDAP_USERDN"], userattr="uid", groupdn=E["LDAP_GROUPDN"])
    root.auth.ldap.create_or_update_group("devs", policies=["app"])
    has_app(anonymous.auth.ldap.login(E["LDAP_USER"], E["LDAP_PASSWORD"])["auth"])
    with refused(exceptions.InvalidRequest, "ldap operation failed"):
        anonymous.auth.ldap.login(E["LDAP_USER"], "x")


def wrapping():
    wrapped = root.sys.wrap({"foo": "bar"}, ttl=60)["wrap_info"]
    assert root.write_data("sys/wrapping/lookup", data={"token": wrapped["token"]})["data"]["creation_path"] == "sys/wrapping/wrap"
    assert root.sys.unwrap(wrapped["token"])["data"] == {"foo": "bar"}
    with refused(exceptions.InvalidRequest, "wrapping token is not valid or does not exist"):
        root.sys.unwrap(wrapped["token"])


def ceremonies():
    fresh = hvac.Client(url=E["FRESH_ADDR"])
    made = fresh.sys.initialize(secret_shares=3, secret_threshold=2)
    shares = made["keys_base64"]
    fresh.token = made["root_token"]
    assert fresh.sys.is_sealed() and fresh.sys.submit_unseal_key(shares[0])["progress"] == 1
    assert not fresh.sys.submit_unseal_keys(shares[1:])["sealed"]
    fresh.sys.seal()
    fresh.sys.submit_unseal_keys(shares[:2])
    started = fresh.sys.start_root_token_generation()
    fresh.sys.generate_root(shares[0], started["nonce"])
    assert fresh.sys.generate_root(shares[1], started["nonce"])["complete"]
    nonce = fresh.sys.start_rekey(secret_shares=2, secret_threshold=2)["nonce"]
    done = fresh.sys.rekey_multi(shares[:2], nonce=nonce)
    assert done["complete"] and len(done["keys"]) == 2
    fresh.sys.start_rekey(secret_shares=1, secret_threshold=1)
    fresh.sys.cancel_rekey()
    assert not fresh.sys.read_rekey_progress()["started"]


STEPS = [system, mounts, key_value, transit, authorities, ssh, totp_and_identity, database, tokens, logins, wrapping, ceremonies]
for step in STEPS:
    try:
        step()
    except Exception as error:
        print(f"FAILED {step.__name__}: {type(error).__name__}: {error}", flush=True)
        import traceback

        traceback.print_exc()
        sys.exit(1)
    print(f"ok {step.__name__}", flush=True)
print("done")
