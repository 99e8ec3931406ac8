/** Asks for the server's API key and keeps it for this tab. */
import { apiKey } from './api.js';
import { byId } from './elements.js';

const dialog = byId('key-dialog', HTMLDialogElement);
const form = byId('key-form', HTMLFormElement);
const value = byId('key-value', HTMLInputElement);
const forget = byId('key-forget', HTMLButtonElement);

/**
 * @param {string} reason why a key is asked for
 * @returns {Promise<boolean>} true where the key changed
 */
export function askForKey(reason) {
  byId('key-reason', HTMLElement).textContent = reason;
  value.value = '';
  forget.hidden = apiKey.get() === '';
  if (!dialog.open) dialog.showModal();
  return new Promise(resolve => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'changed'), { once: true });
  });
}

form.addEventListener('submit', event => {
  event.preventDefault();
  const key = value.value.trim();
  if (key === '') return value.focus();
  apiKey.set(key);
  dialog.close('changed');
});
forget.addEventListener('click', () => {
  apiKey.set('');
  dialog.close('changed');
});
byId('key-cancel', HTMLButtonElement).addEventListener('click', () => dialog.close('cancelled'));
dialog.addEventListener('cancel', () => {
  dialog.returnValue = 'cancelled';
});
