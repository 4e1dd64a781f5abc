/**
 * What every token may do unless it was made without the default policy: look after itself, its cubbyhole and
 * wrapped answers. The same grants as Vault documents; the owner may edit it.
 */
export const defaultPolicy = `# The token itself: look it up, renew it, give it up.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}

# What the token may do, and what a user interface shows it.
path "sys/capabilities-self" {
  capabilities = ["update"]
}
path "sys/internal/ui/resultant-acl" {
  capabilities = ["read"]
}

# The entity that the token belongs to.
path "identity/entity/id/{{identity.entity.id}}" {
  capabilities = ["read"]
}
path "identity/entity/name/{{identity.entity.name}}" {
  capabilities = ["read"]
}

# Leases, by whoever knows their id: renew and look up. The first path is the older one.
path "sys/renew" {
  capabilities = ["update"]
}
path "sys/leases/renew" {
  capabilities = ["update"]
}
path "sys/leases/lookup" {
  capabilities = ["update"]
}

# A store of the token's own.
path "cubbyhole/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

# Response wrapping, by whoever holds a wrapping token.
path "sys/wrapping/wrap" {
  capabilities = ["update"]
}
path "sys/wrapping/lookup" {
  capabilities = ["update"]
}
path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}

# Hashes of what the caller sends.
path "sys/tools/hash" {
  capabilities = ["update"]
}
path "sys/tools/hash/*" {
  capabilities = ["update"]
}

# The state of a request that waits for approval, by its accessor.
path "sys/control-group/request" {
  capabilities = ["update"]
}

# Signing in elsewhere by this vault as an OIDC provider.
path "identity/oidc/provider/+/authorize" {
  capabilities = ["read", "update"]
}
`;
