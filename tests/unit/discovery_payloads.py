"""What seven projects tell Home Assistant of their sensors: one message each, in the form of that project."""

import json
from typing import Any, NamedTuple


class Told(NamedTuple):
    """A discovery message, and the values that it is about."""

    topic: str
    content: dict[str, Any]

    @property
    def payload(self) -> bytes:
        return json.dumps(self.content).encode()


ZIGBEE2MQTT = Told(
    "homeassistant/sensor/0x00158d0001a2b3c4/temperature/config",
    {
        "availability": [{"topic": "zigbee2mqtt/bridge/state", "value_template": "{{ value_json.state }}"}],
        "device": {
            "identifiers": ["zigbee2mqtt_0x00158d0001a2b3c4"],
            "manufacturer": "Aqara",
            "model": "Temperature and humidity sensor (WSDCGQ11LM)",
            "name": "kitchen",
            "via_device": "zigbee2mqtt_bridge_0x00124b0001020304",
        },
        "device_class": "temperature",
        "enabled_by_default": True,
        "origin": {"name": "Zigbee2MQTT", "sw": "2.1.0", "url": "https://www.zigbee2mqtt.io"},
        "state_class": "measurement",
        "state_topic": "zigbee2mqtt/kitchen",
        "unique_id": "0x00158d0001a2b3c4_temperature_zigbee2mqtt",
        "unit_of_measurement": "°C",
        "value_template": "{{ value_json.temperature }}",
    },
)
TASMOTA = Told(
    "homeassistant/sensor/B0EA2C_ENERGY_Power/config",
    {
        "name": "plug ENERGY Power",
        "stat_t": "~SENSOR",
        "avty_t": "~LWT",
        "pl_avail": "Online",
        "pl_not_avail": "Offline",
        "uniq_id": "B0EA2C_ENERGY_Power",
        "device": {"identifiers": ["B0EA2C"], "connections": [["mac", "84:CC:A8:B0:EA:2C"]]},
        "~": "tele/plug/",
        "unit_of_meas": "W",
        "dev_cla": "power",
        "frc_upd": True,
        "val_tpl": "{{value_json['ENERGY'].Power}}",
    },
)
ESPHOME = Told(
    "homeassistant/sensor/attic/humidity/config",
    {
        "dev_cla": "humidity",
        "unit_of_meas": "%",
        "stat_cla": "measurement",
        "sug_dsp_prc": 1,
        "name": "Humidity",
        "stat_t": "attic/sensor/humidity/state",
        "avty_t": "attic/status",
        "uniq_id": "ESPsensorhumidity",
        "dev": {"ids": "a4cf12b3c4d5", "name": "attic", "sw": "2025.11.0", "mf": "espressif", "cns": []},
    },
)
EMS_ESP = Told(
    "homeassistant/sensor/ems-esp/boiler_outdoortemp/config",
    {
        "~": "ems-esp",
        "uniq_id": "boiler_outdoortemp",
        "obj_id": "boiler_outdoortemp",
        "stat_t": "~/boiler_data",
        "name": "Outside temperature",
        "val_tpl": "{{value_json.outdoortemp if value_json.outdoortemp is defined else -55}}",
        "unit_of_meas": "°C",
        "stat_cla": "measurement",
        "dev_cla": "temperature",
        "dev": {"ids": ["ems-esp-boiler"]},
    },
)
RTL_433_WIND = Told(
    "homeassistant/sensor/Acurite-5n1-A-1234/Acurite-5n1-A-1234-WS/config",
    {
        "device_class": "wind_speed",
        "name": "Wind average",
        "unit_of_measurement": "km/h",
        "value_template": "{{ float(value|float) * 3.6 }}",
        "state_class": "measurement",
        "state_topic": "rtl_433/pi/devices/Acurite-5n1/A/1234/wind_avg_m_s",
        "unique_id": "Acurite-5n1-A-1234-WS",
        "device": {"identifiers": ["Acurite-5n1-A-1234"], "name": "Acurite-5n1-A-1234", "model": "5n1"},
    },
)
RTL_433_TEMPERATURE = Told(
    "homeassistant/sensor/Acurite-5n1-A-1234/Acurite-5n1-A-1234-T/config",
    {
        "device_class": "temperature",
        "name": "Temperature",
        "unit_of_measurement": "°C",
        "value_template": "{{ value|float|round(1) }}",
        "state_class": "measurement",
        "state_topic": "rtl_433/pi/devices/Acurite-5n1/A/1234/temperature_C",
        "unique_id": "Acurite-5n1-A-1234-T",
        "device": {"identifiers": ["Acurite-5n1-A-1234"], "name": "Acurite-5n1-A-1234", "model": "5n1"},
    },
)
OPENMQTTGATEWAY = Told(
    "homeassistant/sensor/A4C138000102-tempc/config",
    {
        "stat_t": "+/+/BTtoMQTT/A4C138000102",
        "dev_cla": "temperature",
        "unit_of_meas": "°C",
        "name": "MJ_HT_V1-tempc",
        "uniq_id": "A4C138000102-tempc",
        "val_tpl": "{{ value_json.tempc | is_defined }}",
        "stat_cla": "measurement",
        "device": {"ids": ["A4C138000102"], "cns": [["mac", "A4:C1:38:00:01:02"]], "name": "MJ_HT_V1"},
    },
)
FRIGATE = Told(
    "homeassistant/device/frigate/config",
    {
        "dev": {"ids": ["frigate"], "name": "Frigate", "mf": "Frigate"},
        "o": {"name": "Frigate"},
        "stat_t": "frigate/stats",
        "cmps": {
            "front_camera_fps": {
                "p": "sensor",
                "uniq_id": "frigate_front_camera_fps",
                "unit_of_meas": "fps",
                "val_tpl": "{{ value_json.cameras['front'].camera_fps | default(0) }}",
            },
            "coral_inference_speed": {
                "p": "sensor",
                "uniq_id": "frigate_coral_inference_speed",
                "unit_of_meas": "ms",
                "dev_cla": "duration",
                "val_tpl": "{{ value_json['detectors'][\"coral\"]['inference_speed'] | round(2) }}",
            },
            "front_motion": {
                "p": "binary_sensor",
                "uniq_id": "frigate_front_motion",
                "stat_t": "frigate/front/motion",
            },
        },
    },
)
ALL = {
    "zigbee2mqtt": ZIGBEE2MQTT,
    "Tasmota": TASMOTA,
    "ESPHome": ESPHOME,
    "EMS-ESP": EMS_ESP,
    "rtl_433, wind": RTL_433_WIND,
    "rtl_433, temperature": RTL_433_TEMPERATURE,
    "OpenMQTTGateway": OPENMQTTGATEWAY,
    "Frigate": FRIGATE,
}
