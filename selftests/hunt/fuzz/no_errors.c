// SPDX-License-Identifier: GPL-2.0-only
/* What the library's files of terms need of its other files */
const char *ed_errno_text(int err);

const char *ed_errno_text(int err)
{
	return err ? "an error" : "";
}
