/**
 * Prevents the sandwich: an import that runs upward or in a circle, or a package that quietly gains a dependency.
 * dependency-cruiser reads this table; a type-only import counts like any other (`npm run check:layers`).
 */

const { join } = require('node:path')

/**
 * packages/latchkey/src from the ground up. A place imports from lower rows and from itself, never from its own row's
 * neighbours. Add a folder here in the same commit that creates it: a folder without a row fails.
 */
const LAYERS = [
  ['brand', 'thenable'],
  ['log-text', 'options', 'python-text', 'request', 'request-path'],
  ['clock', 'errors', 'identity'],
  ['cache', 'crypto', 'events', 'time'],
  ['stores', 'passwords'],
  ['rates', 'client-address', 'sealing'],
  ['proxy-warnings'],
  ['broadcast'],
  ['users'],
  ['tokens', 'jwt'],
  ['sessions', 'throttles'],
  ['services'],
  ['authenticators', 'permissions'],
  ['api-request', 'guard'],
  ['views'],
  ['endpoints', 'gate'],
  ['latchkey-options'],
  ['latchkey'],
  ['adapters', 'redis', 'testing'],
  ['index'],
]

const CORE = 'packages/latchkey/src'
const TEST = '[.]test[.]ts$|/src/testing/'
const NPM = [
  'npm',
  'npm-dev',
  'npm-optional',
  'npm-peer',
  'npm-bundled',
  'npm-no-pkg',
  'npm-unknown',
  'unknown',
]
/** Patterns for packages, as bare names and inside of any node_modules. */
const npm = (...names) => [
  `^(@types/)?(${names.join('|')})(/|$)`,
  `(^|/)node_modules/(@types/)?(${names.join('|')})(/|$)`,
]
/** What the library may load when it is there, and what it knows the types of. */
const OPTIONAL_PEERS = npm('@node-rs/argon2', '@node-rs/bcrypt')
const FRAMEWORK_TYPES = npm('express', 'express-serve-static-core', 'fastify', 'hono')

const packageRow = (name, allowed) => ({
  name: `dependencies-of-${name}`,
  severity: 'error',
  comment: `packages/${name} may import ${allowed.join(', ')} and Node, nothing else.`,
  from: { path: `^packages/${name}/src/`, pathNot: TEST },
  to: {
    dependencyTypesNot: ['core'],
    pathNot: [
      `^packages/(${[name, ...allowed].map((one) => one.replace('@latchkey/', '')).join('|')})/(src|dist)/`,
      ...npm(...allowed),
    ],
  },
})

const place = (name) => `${name}([.]ts$|/)`
const upward = LAYERS.flatMap((row, rank) =>
  row.map((name) => ({
    name: `upward-from-${name}`,
    severity: 'error',
    comment: `${name} imports only from below: ${LAYERS.slice(0, rank).flat().join(', ') || 'nothing'}.`,
    from: { path: `^${CORE}/${place(name)}`, pathNot: name === 'testing' ? '[.]test[.]ts$' : TEST },
    to: {
      path: `^${CORE}/`,
      pathNot: [...LAYERS.slice(0, rank).flat(), name].map((lower) => `^${CORE}/${place(lower)}`),
    },
  })),
)

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...upward,
    {
      name: 'folder-without-a-layer',
      severity: 'error',
      comment: 'Give the new file or folder a row in tools/layers.cjs.',
      from: {
        path: `^${CORE}/`,
        pathNot: ['[.]test[.]ts$', ...LAYERS.flat().map((name) => `^${CORE}/${place(name)}`)],
      },
      to: {},
    },
    {
      name: 'library-without-dependencies',
      severity: 'error',
      comment:
        'latchkey runs on Node and web standards; frameworks are types only, hashers are optional peers.',
      from: { path: `^${CORE}/`, pathNot: TEST },
      to: { dependencyTypes: NPM, dependencyTypesNot: ['type-only'], pathNot: OPTIONAL_PEERS },
    },
    {
      name: 'library-types-of-frameworks-only',
      severity: 'error',
      from: { path: `^${CORE}/`, pathNot: TEST },
      to: { dependencyTypes: NPM, pathNot: [...OPTIONAL_PEERS, ...FRAMEWORK_TYPES] },
    },
    {
      name: 'optional-peers-lazily',
      severity: 'error',
      comment:
        'An optional peer is loaded with await import(), where it is missing the library still starts.',
      from: { path: `^${CORE}/`, pathNot: TEST },
      to: { path: OPTIONAL_PEERS, dynamic: false, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'library-below-the-packages',
      severity: 'error',
      from: { path: `^${CORE}/`, pathNot: TEST },
      to: { path: '^packages/(?!latchkey/)' },
    },
    packageRow('sql', ['latchkey', 'kysely', 'better-sqlite3', 'pg']),
    packageRow('server', [
      'latchkey',
      '@latchkey/sql',
      '@hono/node-server',
      '@node-rs/argon2',
      '@node-rs/bcrypt',
      'commander',
      'hono',
      'ioredis',
      'jiti',
    ]),
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: '[.]gen[.]ts$' },
    tsConfig: { fileName: join(__dirname, '../tsconfig.base.json') },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default', 'node'],
    },
  },
}
