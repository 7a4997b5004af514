/** Where a setting was said, and the refusal that names the place. All of `settings/` throws it; `cli/run.ts` prints it. */

/** Where a value comes from. `name` is what the person can change: `latchkey.config.ts`, `LATCHKEY_PORT`, `--port`. */
export interface SettingSource {
  readonly from: 'default' | 'config' | 'environment' | 'flag'
  readonly name: string
}

/** A setting that cannot be used; the message begins with what the person can change. */
export class SettingsError extends Error {
  readonly source: SettingSource['from']

  constructor(name: string, problem: string, source: SettingSource['from'] = 'config') {
    super(`${name}: ${problem}`)
    this.name = 'SettingsError'
    this.source = source
  }
}
