/* SPDX-License-Identifier: MIT
 *
 * A plain main for fuzz targets: gives each file named on the command line (or each file of
 * a folder) to LLVMFuzzerTestOneInput once. Built with gcc, so that corpora and old crashes
 * are ordinary tests.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(16 * 1024 * 1024);
	size_t size;

	if (!file || !data) {
		perror(path);
		free(data);
		return -1;
	}
	size = fread(data, 1, 16 * 1024 * 1024, file);
	fclose(file);
	/* Exactly sized, so that the address sanitizer sees a read beyond the end. */
	uint8_t *exact = malloc(size ? size : 1);
	if (!exact)
		abort();
	memcpy(exact, data, size);
	free(data);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	replayed++;
	return 0;
}

static int replay(const char *path)
{
	struct stat st;
	int rc = 0;

	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return replay_file(path);

	DIR *dir = opendir(path);
	if (!dir)
		return -1;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char name[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		rc |= replay(name);
	}
	closedir(dir);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = 0;

	for (int i = 1; i < argc; i++)
		rc |= replay(argv[i]);
	printf("%u inputs replayed\n", replayed);
	return rc == 0 && replayed ? 0 : 1;
}
