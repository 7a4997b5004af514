/** Which tokens a call means: how a selection is checked, and what it asks of the store. A part of the token service. */
import { type User, type UserId, userIdOf } from '../identity.js'
import { checkOptions, checkValue, type Rules, required, rule, TEXT, wholeNumber } from '../options.js'
import type { TokenFilter } from '../stores/store.js'

/** Which tokens: all of these that are given must fit. */
export interface TokenSelection {
  readonly user?: User | UserId
  readonly policy?: string
  /** Exactly this hint, as lists show it; a previous secret's counts too. */
  readonly hint?: string
}

export interface TokenPage extends TokenSelection {
  readonly afterId?: number
  readonly limit?: number
}

const SELECTION_RULES: Rules<TokenSelection> = Object.freeze({
  user: rule('be a user, or the id of one', (value) => value !== null),
  policy: TEXT,
  hint: TEXT,
})

const PAGE_RULES: Rules<TokenPage> = Object.freeze({
  ...SELECTION_RULES,
  afterId: wholeNumber(0),
  limit: wholeNumber(0),
})

/** @throws TypeError that names the option */
export function filterOfSelection(call: string, selection: TokenSelection): TokenFilter {
  checkOptions(call, selection, SELECTION_RULES)
  return filterOf(selection)
}

/** @throws TypeError that names the option */
export function filterOfPage(call: string, page: TokenPage): TokenFilter {
  checkOptions(call, page, PAGE_RULES)
  return filterOf(page)
}

/** One that is there and undefined is refused: a user who is missing by mistake must not mean everybody. */
function filterOf(selection: TokenSelection): TokenFilter {
  for (const name of Object.keys(SELECTION_RULES) as Array<keyof TokenSelection>) {
    if (name in selection) checkValue(name, selection[name], required(SELECTION_RULES[name]))
  }
  const { user, policy, hint } = selection
  return {
    ...(user === undefined ? {} : { userId: userIdOf(user) }),
    ...(policy === undefined ? {} : { policy }),
    ...(hint === undefined ? {} : { hint }),
  }
}
