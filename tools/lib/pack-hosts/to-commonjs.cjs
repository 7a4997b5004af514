/** A Jest transformer that makes CommonJS of modules, packages included, as ts-jest and babel-jest do. */
const { transformSync } = require('esbuild')

module.exports = {
  process: (text, path) => ({
    code: transformSync(text, { format: 'cjs', target: 'node20', platform: 'node', sourcefile: path }).code,
  }),
}
