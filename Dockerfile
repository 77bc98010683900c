FROM oven/bun:1.4.5-slim
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production --filter weir
COPY . .
USER bun
# Bun reads its limit on open requests before any program runs.
ENV BUN_CONFIG_MAX_HTTP_REQUESTS=65336 HOST=0.0.0.0
EXPOSE 3000
CMD ["bun", "src/main.ts"]
