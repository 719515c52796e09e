/* The parts of the program muster-rpmdb. No part of pkg's library. */
#ifndef MUSTER_PKG_RPMDB_H
#define MUSTER_PKG_RPMDB_H

#include <rpm/rpmts.h>
#include <stdint.h>

/* A field and what ends it, a tab or the line; without those inside. NULL is the empty text. */
void rpmdb_put_text(const char *text, char end);
void rpmdb_put_number(int64_t n, char end);
/* Puts the transactions of dnf's database `history` from the number `first` on. 0, or 1: it cannot be read whole. */
int rpmdb_put_history(rpmts ts, const char *history, const char *first);
/* Puts what each package says of itself, needs and gives. 0. */
int rpmdb_put_descriptions(rpmts ts);
/* Answers questions for files until standard input ends. 0, or 1: it broke off. */
int rpmdb_answer_files(rpmts ts);

#endif
