/* SPDX-License-Identifier: MIT
 *
 * The MESSAGE_IDs of the events that an operator cares about. systemd/etld.catalog explains
 * each in English and French and expands the fields named beside it; a message without one
 * of them would show the field's bare name, so always send them. An id never changes its
 * meaning: a new event gets a new id (systemd-id128 new).
 */
#ifndef ETLD_MESSAGE_IDS_H
#define ETLD_MESSAGE_IDS_H

/* no field */
#define ETLD_MSG_STARTED "fe09934163034a4aa438921a53884f11"
/* no field */
#define ETLD_MSG_CONFIG_REFUSED "135368c4cfb64d0fa32e4ca59c50e21e"
/* no field */
#define ETLD_MSG_CONFIG_RELOAD_FAILED "63c4ee0594884de380bdddf76e826dcb"
/* no field */
#define ETLD_MSG_CONFIG_RELOADED "29df0d4ae82e4f1a8a12801be02ee1ef"
/* no field */
#define ETLD_MSG_MONGODB_DOWN "01cfd15bec1d4802b7267a21002bed38"
/* no field */
#define ETLD_MSG_MONGODB_UP "353aca7ae7fd4755ba3df9ee2e410c5a"
/* ETL_JOB ETL_RECORDS_IN ETL_RECORDS_OUT ETL_REJECTED ETL_RUN_ID */
#define ETLD_MSG_RUN_FINISHED "c8987263840b4ff9a81264c55b962ad3"
/* ETL_ERROR_CODE ETL_JOB ETL_RUN_ID */
#define ETLD_MSG_RUN_FAILED "54cee9f5b5cb48268cbadcbcef2bbfde"
/* ETL_ERROR_CODE ETL_JOB ETL_PARTITION ETL_RUN_ID */
#define ETLD_MSG_PARTITION_FAILED "7a3c6db000b04695a3de9c4670122e16"
/* ETL_JOB ETL_PARTITION ETL_WINDOW_END ETL_WINDOW_START */
#define ETLD_MSG_WINDOW_BLOCKED "a0fa1fc3d8174bed92f77d0a41278236"
/* ETL_JOB ETL_REJECTED ETL_RUN_ID */
#define ETLD_MSG_RECORDS_REJECTED "9a89e4d1554444ffbb15ccd339f172f9"
/* ETL_JOB ETL_RUN_ID */
#define ETLD_MSG_FENCED "17fe3ab6c7b74af3aea6c245ef5328f1"
/* ETL_JOB ETL_RUN_ID */
#define ETLD_MSG_LEASE_LOST "f1a9d2268f114e9293191989d6be14fb"
/* ETL_JOB ETL_PARTITION ETL_RUN_ID ETL_WINDOW_END ETL_WINDOW_START */
#define ETLD_MSG_CHECK_FAILED "ea3741d0849f4eeca0275e91198fb9f4"
/* no field */
#define ETLD_MSG_CLOCK_STEPPED "2f79ebae81404686abd885645035cc8c"
/* no field */
#define ETLD_MSG_DRAINING "c886afe2a40840d4be06de432ece287f"
/* no field */
#define ETLD_MSG_STOPPED "f48d8081f46a4f95939e6614c46dd291"
/* ETL_HTTP_STATUS ETL_JOB ETL_PARTITION */
#define ETLD_MSG_SOURCE_AUTH "16aaae6ebf16453bba2c41c8484e7965"
/* ETL_HTTP_STATUS ETL_JOB */
#define ETLD_MSG_SOURCE_THROTTLED "4a18b98ec9c443eea5d50a0aeb8fb750"
/* ETL_JOB ETL_PARTITION ETL_WINDOW_END ETL_WINDOW_START */
#define ETLD_MSG_UNRECOVERABLE "37cc1be6abc64d0f93d46db7743b61d4"
/* ETL_JOB ETL_REASON ETL_SLOTS ETL_SLOT_FIRST ETL_SLOT_LAST */
#define ETLD_MSG_SLOTS_SKIPPED "11074167ac8f4dcb99dcbdb70d4f5b70"

#endif
