# To pin it: --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:24-bookworm-slim

# No install scripts: the only one fetches a Node.js, and the image has the right one.
FROM ${NODE_IMAGE} AS modules
WORKDIR /build
COPY package.json package-lock.json ./
# Node.js reads neither source maps nor type declarations: almost half of the packages.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && \
    find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.[cm]ts' \) -delete

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json LICENSE ./
COPY src ./src
# The files keep their modes from the checkout, which may not let the user of the image read them.
RUN npm run build && chmod -R a+rX package.json LICENSE dist

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
RUN install --directory --owner=1000 --group=1000 /data
COPY --from=modules /build/node_modules /app/node_modules
COPY --from=build /build/package.json /build/LICENSE /app/
COPY --from=build /build/dist /app/dist

ARG TITLE=amplitude-to-s3
ARG DESCRIPTION="Exports raw events from Amplitude's Export API into S3 or a folder."
ARG LICENSES=MIT
ARG VERSION=1.0.0
ARG SOURCE=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="${TITLE}" \
      org.opencontainers.image.description="${DESCRIPTION}" \
      org.opencontainers.image.licenses="${LICENSES}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# By number, so that an orchestrator sees that it is not root.
USER 1000:1000
WORKDIR /data
# The program prints commands to copy. They run this name.
ARG IMAGE=amplitude-to-s3
ENV AMPLITUDE_TO_S3_IMAGE=${IMAGE}
ENTRYPOINT ["/usr/local/bin/node", "/app/dist/main.js"]
