# What both stages start from. A release names it by digest: docs/release.md.
ARG BASE=debian:trixie-slim

# Fetches the dependencies, compiles the native ones and the sources. Nothing of this stage but its results is kept.
FROM ${BASE} AS build
# A file of certificate authorities to trust while fetching, for networks with an authority of their own.
ARG NODE_EXTRA_CA_CERTS=""
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates nodejs npm libnode-dev python3 make g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# The native modules use Node-API, so the headers of Debian's Node give modules that Node 24 loads;
# but Debian's node-gyp would link them to its shared library of Node, which the result does not have.
RUN sed -i "/'-lnode'/d" /usr/share/nodejs/node-gyp/addon.gypi
COPY package.json package-lock.json ./
# Types, sources, maps and build leftovers are not needed to run.
RUN npm_config_nodedir=/usr npm ci --no-audit --no-fund \
 && mkdir -p /runtime/app /runtime/bin \
 && cp -L node_modules/node/bin/node /runtime/bin/node \
 && cp -a package.json package-lock.json node_modules /runtime/app/ \
 && npm prune --omit=dev --no-audit --no-fund --prefix /runtime/app \
 && cd /runtime/app \
 && rm -rf package-lock.json node_modules/.package-lock.json node_modules/.cache node_modules/@types \
 && find node_modules -type d \( -name obj.target -o -name .deps -o -name docs -o -name test -o -name tests \) -prune -exec rm -rf {} + \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.c' -o -name '*.cc' -o -name '*.cpp' -o -name '*.h' -o -name '*.md' -o -name '*.mk' \) -delete \
 && rm -rf node_modules/lmdb/dependencies node_modules/@lmdb/*-musl
COPY tsconfig.json tsconfig.build.json ./
COPY LICENSE ./
COPY deploy/bundle.ts deploy/plugin.ts ./deploy/
COPY src ./src
RUN npm run build && cp -a dist /runtime/app/dist && chmod 0755 /runtime/app/dist/main.js

FROM ${BASE}
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates libstdc++6 p11-kit p11-kit-modules softhsm2 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /var/cache/debconf/* \
 && groupadd --gid 10001 sealedvault \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sealedvault
COPY --from=build /runtime/bin/node /usr/local/bin/node
COPY --from=build /runtime/app /app
RUN ln -s /app/dist/main.js /usr/local/bin/sealedvault
ENV NODE_ENV=production
WORKDIR /app
# Fails here rather than in a cluster when a native module does not load.
RUN node --eval "require('pkcs11js'); require('lmdb')"
# By number, so that Kubernetes can tell that it is not root.
USER 10001:10001
# A signal must not open a debugger in a process that holds keys.
ENTRYPOINT ["/usr/local/bin/node", "--disable-sigusr1", "/app/dist/main.js"]
