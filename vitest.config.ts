import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(`packages/${path}`, import.meta.url))

// Unit, contract and property tests run on the sources; the CLI and packed-tarball tests run on what is built.
export default defineConfig({
  resolve: {
    alias: [
      { find: /^latchkey$/, replacement: source('latchkey/src/index.ts') },
      { find: /^latchkey\/redis$/, replacement: source('latchkey/src/redis/index.ts') },
      { find: /^latchkey\/testing$/, replacement: source('latchkey/src/testing/index.ts') },
      { find: /^latchkey\/node$/, replacement: source('latchkey/src/adapters/node-http.ts') },
      { find: /^latchkey\/(fetch|express|hono)$/, replacement: `${source('latchkey/src/adapters')}/$1.ts` },
      { find: /^@latchkey\/sql$/, replacement: source('sql/src/index.ts') },
      { find: /^@latchkey\/server$/, replacement: source('server/src/index.ts') },
    ],
  },
  test: {
    include: [
      'packages/*/{src,test}/**/*.test.ts',
      'examples/**/*.test.ts',
      'tools/**/*.test.ts',
      'bench/lib/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**', '**/templates/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
