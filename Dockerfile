FROM oven/bun:1.4.5-slim AS build
WORKDIR /app
# Both manifests, because the lockfile covers the whole workspace.
COPY package.json bun.lock bunfig.toml ./
COPY bench/package.json bench/
RUN bun install --frozen-lockfile --production --filter weir
COPY . .
RUN bun ops/build.ts /weir

FROM debian:12-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171
RUN useradd --system --uid 10001 --no-create-home weir && install -d -o weir -m 0700 /data
COPY --from=build /weir /usr/local/bin/weir
USER 10001
WORKDIR /data
# The directory of the embedded database, unless DATABASE_URL is set.
VOLUME /data
# On this address Weir refuses to start without WEIR_TOKEN.
ENV HOST=0.0.0.0 DATA_DIR=/data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["weir", "health"]
ENTRYPOINT ["weir"]
CMD ["serve"]
