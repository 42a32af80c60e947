/// <reference types="vitest/config" />
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import { notices } from "./notices.ts";

const server = process.env["WEBCHAT_DEV_SERVER"] ?? "http://127.0.0.1:4000";

export default defineConfig({
  plugins: [
    notices(),
    svelte({
      configFile: false,
      // The page runs under `require-trusted-types-for 'script'`: build DOM nodes, not HTML strings.
      compilerOptions: { fragments: "tree", runes: true },
    }),
  ],
  build: {
    outDir: "../src/webchat/static",
    emptyOutDir: true,
    // How long its plugins took is of no use to whoever wants a server.
    rolldownOptions: { checks: { bundlerTimings: false } },
    target: "es2022",
    // The page's content security policy has no room for data: scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/api": { target: server },
      "/socket.io": { target: server, ws: true },
    },
  },
  // Vitest runs on Node, where Svelte would otherwise resolve to its server build without runes.
  resolve: process.env["VITEST"] ? { conditions: ["browser"] } : {},
  test: { include: ["tests/**/*.test.ts"], sequence: { shuffle: true }, testTimeout: 30_000 },
});
